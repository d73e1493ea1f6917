// dx of the maximum: an element takes dy of those windows that hold it and whose maximum it was.

fn four_dy(i: u32) -> vec4<f32> {
  if FOUR { return read4_dy(i); }
  return vec4<f32>(read_dy(i));
}
fn store_dx(i: u32, value: vec4<f32>) {
  if FOUR { write4_dx(i, value); } else { write_dx(i, value.x); }
}

@compute @workgroup_size(64)
fn max_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let to = element(group, groups, lane, params.h, params.w);
  if !to.inside { return; }
  let rows = windows(to.row, params.strideH, params.padTop, params.kh, params.oh);
  let columns = windows(to.column, params.strideW, params.padLeft, params.kw, params.ow);
  var sum = vec4<f32>();
  for (var oy = rows.x; oy < rows.y; oy++) {
    let line = (to.row + params.padTop - oy * params.strideH) * params.kw;
    for (var ox = columns.x; ox < columns.y; ox++) {
      let source = ((to.n * params.oh + oy) * params.ow + ox) * params.c + to.c;
      let tap = i32(line + to.column + params.padLeft - ox * params.strideW);
      var place = vec4<i32>();
      if FOUR { place = read4_argmax(source); } else { place = vec4<i32>(read_argmax(source)); }
      sum += select(vec4<f32>(), four_dy(source), place == vec4<i32>(tap));
    }
  }
  store_dx(to.at, sum);
}
