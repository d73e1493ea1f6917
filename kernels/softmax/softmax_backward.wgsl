// softmax_backward on WebGPU; contract in softmax.h. LOG is a constant. Two passes over a row: the sum, then the result.

// y and dy of four items; 0 past the end of the row.
struct Items { y: vec4<f32>, dy: vec4<f32> }
fn load(row: u32, c: u32) -> Items {
  let at = row * params.cols + c;
  if c + 4u <= params.cols { return Items(read4_y(at), read4_dy(at)); }
  var items: Items;
  for (var i = 0u; c + i < params.cols; i++) {
    items.y[i] = read_y(at + i);
    items.dy[i] = read_dy(at + i);
  }
  return items;
}

fn sum_of(row: u32, first: u32, step: u32) -> f32 {
  var total = 0.0;
  for (var start = first; start < params.cols; start += CHUNK * step) {
    var part = vec4<f32>();
    for (var c = start; c < min(start + CHUNK * step, params.cols); c += step) {
      let items = load(row, c);
      if LOG { part += items.dy; } else { part += items.dy * items.y; }
    }
    total += sum4(part);
  }
  return total;
}

fn write_row(row: u32, first: u32, step: u32, sum: f32) {
  for (var c = first; c < params.cols; c += step) {
    let items = load(row, c);
    var dx: vec4<f32>;
    if LOG { dx = items.dy - exp4(items.y) * sum; } else { dx = items.y * (items.dy - sum); }
    let at = row * params.cols + c;
    if c + 4u <= params.cols { write4_dx(at, dx); } else { for (var i = 0u; c + i < params.cols; i++) { write_dx(at + i, dx[i]); } }
  }
}

@compute @workgroup_size(THREADS)
fn softmax_backward_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups) * THREADS + lane;
  if row >= params.rows { return; }
  write_row(row, 0u, 4u, sum_of(row, 0u, 4u));
}

@compute @workgroup_size(GROUP)
fn softmax_backward_group(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups);
  if row >= params.rows { return; }
  let sum = group_sum(lane, sum_of(row, 4u * lane, 4u * GROUP));
  write_row(row, 4u * lane, 4u * GROUP, sum);
}
