// layer_norm on WebGPU; contract in layer_norm.h. Three passes over a row, as on the CPU: mean, squared deviations, result. rows.wgsl says
// who takes which items.

fn load_x(row: u32, c: u32, fill: f32) -> vec4<f32> {
  let at = row * params.cols + c;
  if c + 4u <= params.cols { return read4_x(at); }
  var v = vec4<f32>(fill);
  for (var i = 0u; c + i < params.cols; i++) { v[i] = read_x(at + i); }
  return v;
}

fn sum_of(row: u32, first: u32, step: u32) -> f32 {
  var total = 0.0;
  for (var start = first; start < params.cols; start += CHUNK * step) {
    var part = vec4<f32>();
    for (var c = start; c < min(start + CHUNK * step, params.cols); c += step) { part += load_x(row, c, 0.0); }
    total += sum4(part);
  }
  return total;
}

fn sum_of_squares(row: u32, first: u32, step: u32, mean: f32) -> f32 {
  var total = 0.0;
  for (var start = first; start < params.cols; start += CHUNK * step) {
    var part = vec4<f32>();
    for (var c = start; c < min(start + CHUNK * step, params.cols); c += step) {
      let deviation = load_x(row, c, mean) - mean;
      part += deviation * deviation;
    }
    total += sum4(part);
  }
  return total;
}

// A sum's mean over the row; 0 without columns.
fn mean_of(sum: f32) -> f32 {
  if params.cols == 0u { return 0.0; }
  return sum / f32(params.cols);
}
fn rstd_of(squares: f32) -> f32 { return 1.0 / sqrt(mean_of(squares) + params.eps); }

fn write_row(row: u32, first: u32, step: u32, mean: f32, rstd: f32) {
  if first == 0u {
    if has_mean { write_mean(row, mean); }
    if has_rstd { write_rstd(row, rstd); }
  }
  for (var c = first; c < params.cols; c += step) {
    let at = row * params.cols + c;
    var y = (load_x(row, c, 0.0) - mean) * rstd;
    if c + 4u <= params.cols {
      if has_gamma { y *= read4_gamma(c); }
      if has_beta { y += read4_beta(c); }
      write4_y(at, y);
    } else {
      for (var i = 0u; c + i < params.cols; i++) {
        if has_gamma { y[i] *= read_gamma(c + i); }
        if has_beta { y[i] += read_beta(c + i); }
        write_y(at + i, y[i]);
      }
    }
  }
}

@compute @workgroup_size(THREADS)
fn layer_norm_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups) * THREADS + lane;
  if row >= params.rows { return; }
  let mean = mean_of(sum_of(row, 0u, 4u));
  write_row(row, 0u, 4u, mean, rstd_of(sum_of_squares(row, 0u, 4u, mean)));
}

@compute @workgroup_size(GROUP)
fn layer_norm_group(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups);
  if row >= params.rows { return; }
  let first = 4u * lane;
  let step = 4u * GROUP;
  let mean = mean_of(group_sum(lane, sum_of(row, first, step)));
  write_row(row, first, step, mean, rstd_of(group_sum(lane, sum_of_squares(row, first, step, mean))));
}
