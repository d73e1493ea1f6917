// dx of the mean: an element takes its share of dy of each window that holds it.

fn four_dy(i: u32) -> vec4<f32> {
  if FOUR { return read4_dy(i); }
  return vec4<f32>(read_dy(i));
}
fn store_dx(i: u32, value: vec4<f32>) {
  if FOUR { write4_dx(i, value); } else { write_dx(i, value.x); }
}

@compute @workgroup_size(64)
fn average_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let to = element(group, groups, lane, params.h, params.w);
  if !to.inside { return; }
  let rows = windows(to.row, params.strideH, params.padTop, params.kh, params.oh);
  let columns = windows(to.column, params.strideW, params.padLeft, params.kw, params.ow);
  var sum = vec4<f32>();
  for (var oy = rows.x; oy < rows.y; oy++) {
    let down = taps(oy, params.strideH, params.padTop, params.kh, params.h);
    for (var ox = columns.x; ox < columns.y; ox++) {
      let across = taps(ox, params.strideW, params.padLeft, params.kw, params.w);
      sum += four_dy(((to.n * params.oh + oy) * params.ow + ox) * params.c + to.c) / divisor(down, across);
    }
  }
  store_dx(to.at, sum);
}
