// dw and dbias: rows of dy are cut into PARTS parts, a number the shape alone decides. A thread of the first launch sums one tap
// of its channels over the rows of a part, each row on its own first; the second launch adds the parts in order. dbias is
// one tap more, where x is 1.

fn four_x(i: u32) -> vec4<f32> {
  if FOUR { return read4_x(i); }
  return vec4<f32>(read_x(i));
}
fn four_dy(i: u32) -> vec4<f32> {
  if FOUR { return read4_dy(i); }
  return vec4<f32>(read_dy(i));
}

fn all_taps() -> u32 { return params.kh * params.kw + select(0u, 1u, has_dbias); }

// The positions of a row, from x to below y, whose tap at kx lies in the image.
fn positions(kx: u32) -> vec2<u32> {
  let place = kx * params.dilationW;
  var first = 0u;
  if place < params.padLeft { first = (params.padLeft - place + params.strideW - 1u) / params.strideW; }
  if place >= params.w + params.padLeft { return vec2<u32>(0u); }
  return vec2<u32>(first, min(params.ow, (params.w + params.padLeft - place - 1u) / params.strideW + 1u));
}

@compute @workgroup_size(64)
fn sum_parts(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = 64u * flat_group(group, groups) + lane;
  let across = channels() / STEP;
  let line = index / across;
  let part = line / all_taps();
  if part >= PARTS { return; }
  let tap = line - part * all_taps();
  let k = (index - line * across) * STEP;
  let c = k / params.m;
  let bias = tap == params.kh * params.kw;
  let ky = tap / params.kw;
  let kx = tap - ky * params.kw;
  var columns = positions(kx);
  if bias { columns = vec2<u32>(0u, params.ow); }
  let rows = params.n * params.oh;
  let each = (rows + PARTS - 1u) / PARTS;
  var total = vec4<f32>();
  for (var row = part * each; row < min(rows, (part + 1u) * each); row++) {
    var sum = vec4<f32>();
    let source = row * params.ow * channels() + k;
    if bias {
      for (var ox = columns.x; ox < columns.y; ox++) { sum += four_dy(source + ox * channels()); }
    } else {
      let n = row / params.oh;
      let iy = (row - n * params.oh) * params.strideH + ky * params.dilationH - params.padTop;
      if iy >= params.h { continue; }
      let image = (n * params.h + iy) * params.w;
      for (var ox = columns.x; ox < columns.y; ox++) {
        let ix = ox * params.strideW + kx * params.dilationW - params.padLeft;
        sum = fma(four_x((image + ix) * params.c + c), four_dy(source + ox * channels()), sum);
      }
    }
    total += sum;
  }
  if FOUR { write4_parts(index * 4u, total); } else { write_parts(index, total.x); }
}

@compute @workgroup_size(64)
fn add_parts(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = 64u * flat_group(group, groups) + lane;
  let weights = params.kh * params.kw * channels();
  let size = all_taps() * channels();
  if index >= size { return; }
  var total = 0.0;
  for (var part = 0u; part < PARTS; part++) { total += read_parts(part * size + index); }
  if index < weights { write_dw(index, total); } else { write_dbias(index - weights, total); }
}
