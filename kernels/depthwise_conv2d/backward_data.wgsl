// dx: an element gathers from the positions whose windows reach it. With m > 1 a thread adds up the m channels of its own.

fn four_dy(i: u32) -> vec4<f32> {
  if FOUR { return read4_dy(i); }
  return vec4<f32>(read_dy(i));
}

fn four_w(i: u32) -> vec4<f32> {
  if FOUR { return read4_w(i); }
  return vec4<f32>(read_w(i));
}

@compute @workgroup_size(64)
fn backward_data(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = 64u * flat_group(group, groups) + lane;
  let across = params.c / STEP;
  let pixel = index / across;
  let line = pixel / params.w;
  let n = line / params.h;
  if n >= params.n { return; }
  let c = (index - pixel * across) * STEP;
  let iy = line - n * params.h;
  let ix = pixel - line * params.w;
  var sum = vec4<f32>();
  for (var ky = 0u; ky < params.kh; ky++) {
    if iy + params.padTop < ky * params.dilationH { break; }
    let top = iy + params.padTop - ky * params.dilationH;
    let oy = top / params.strideH;
    if oy * params.strideH != top || oy >= params.oh { continue; }
    for (var kx = 0u; kx < params.kw; kx++) {
      if ix + params.padLeft < kx * params.dilationW { break; }
      let left = ix + params.padLeft - kx * params.dilationW;
      let ox = left / params.strideW;
      if ox * params.strideW != left || ox >= params.ow { continue; }
      let source = ((n * params.oh + oy) * params.ow + ox) * channels() + c * params.m;
      let weight = (ky * params.kw + kx) * channels() + c * params.m;
      for (var j = 0u; j < params.m; j++) { sum = fma(four_dy(source + j), four_w(weight + j), sum); }
    }
  }
  if FOUR { write4_dx(index * 4u, sum); } else { write_dx(index, sum.x); }
}
