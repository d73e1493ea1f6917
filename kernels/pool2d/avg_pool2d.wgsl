// The mean of each window: its rows first, then their sum, divided once.

fn four_x(i: u32) -> vec4<f32> {
  if FOUR { return read4_x(i); }
  return vec4<f32>(read_x(i));
}
fn store_y(i: u32, value: vec4<f32>) {
  if FOUR { write4_y(i, value); } else { write_y(i, value.x); }
}

@compute @workgroup_size(64)
fn average_forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let to = element(group, groups, lane, params.oh, params.ow);
  if !to.inside { return; }
  let rows = taps(to.row, params.strideH, params.padTop, params.kh, params.h);
  let columns = taps(to.column, params.strideW, params.padLeft, params.kw, params.w);
  var sum = vec4<f32>();
  for (var ky = rows.x; ky < rows.y; ky++) {
    let line = (to.n * params.h + to.row * params.strideH + ky - params.padTop) * params.w;
    var along = vec4<f32>();
    for (var kx = columns.x; kx < columns.y; kx++) {
      along += four_x((line + to.column * params.strideW + kx - params.padLeft) * params.c + to.c);
    }
    sum += along;
  }
  store_y(to.at, sum / divisor(rows, columns));
}
