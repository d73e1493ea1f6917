// softmax on WebGPU; contract in softmax.h. LOG is a constant. Three passes over a row: maximum, sum of exponentials, result; the
// exponentials are taken twice, since there is nowhere to keep a row of any length. rows.wgsl says who takes which items.

fn load_x(row: u32, c: u32) -> vec4<f32> {
  let at = row * params.cols + c;
  if c + 4u <= params.cols { return read4_x(at); }
  var v = vec4<f32>(-infinity());
  for (var i = 0u; c + i < params.cols; i++) { v[i] = read_x(at + i); }
  return v;
}

fn largest_of(row: u32, first: u32, step: u32) -> f32 {
  var largest = -infinity();
  for (var c = first; c < params.cols; c += step) { largest = above4(largest, load_x(row, c)); }
  return largest;
}

fn sum_of_exp(row: u32, first: u32, step: u32, largest: f32) -> f32 {
  var total = 0.0;
  for (var start = first; start < params.cols; start += CHUNK * step) {
    var part = vec4<f32>();
    for (var c = start; c < min(start + CHUNK * step, params.cols); c += step) { part += exp4(load_x(row, c) - largest); }
    total += sum4(part);
  }
  return total;
}

fn write_row(row: u32, first: u32, step: u32, largest: f32, sum: f32) {
  let log_sum = log_f32(sum);
  for (var c = first; c < params.cols; c += step) {
    let shifted = load_x(row, c) - largest;
    var y: vec4<f32>;
    if LOG { y = shifted - log_sum; } else { y = exp4(shifted) / sum; }
    let at = row * params.cols + c;
    if c + 4u <= params.cols { write4_y(at, y); } else { for (var i = 0u; c + i < params.cols; i++) { write_y(at + i, y[i]); } }
  }
}

@compute @workgroup_size(THREADS)
fn softmax_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups) * THREADS + lane;
  if row >= params.rows { return; }
  let largest = largest_of(row, 0u, 4u);
  write_row(row, 0u, 4u, largest, sum_of_exp(row, 0u, 4u, largest));
}

@compute @workgroup_size(GROUP)
fn softmax_group(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups);
  if row >= params.rows { return; }
  let first = 4u * lane;
  let step = 4u * GROUP;
  let largest = group_largest(lane, largest_of(row, first, step));
  let sum = group_sum(lane, sum_of_exp(row, first, step, largest));
  write_row(row, first, step, largest, sum);
}
