// y: a thread makes PIXELS neighbouring positions of a row, so that each weight is read once for all of them.

const PIXELS = 4u;

fn four_x(i: u32) -> vec4<f32> {
  if FOUR { return read4_x(i); }
  return vec4<f32>(read_x(i));
}

fn four_w(i: u32) -> vec4<f32> {
  if FOUR { return read4_w(i); }
  return vec4<f32>(read_w(i));
}

// The taps, from x to below y, of a window that starts at `at` * stride - pad, which lie in the image.
fn taps(at: u32, stride: u32, pad: u32, dilation: u32, kernel: u32, size: u32) -> vec2<u32> {
  let first = at * stride;
  var start = 0u;
  if first < pad { start = (pad - first + dilation - 1u) / dilation; }
  if first >= size + pad { return vec2<u32>(0u); }
  return vec2<u32>(start, min(kernel, (size + pad - first - 1u) / dilation + 1u));
}

fn finish(i: u32, k: u32, sum: vec4<f32>) {
  if !FOUR {
    write_y(i, activate(sum.x + read_bias(k), params.activation));
    return;
  }
  let value = sum + read4_bias(k);
  let code = params.activation;
  write4_y(i, vec4<f32>(activate(value.x, code), activate(value.y, code), activate(value.z, code), activate(value.w, code)));
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = 64u * flat_group(group, groups) + lane;
  let across = channels() / STEP;
  let blocks = (params.ow + PIXELS - 1u) / PIXELS;
  let block = index / across;
  let line = block / blocks;
  let n = line / params.oh;
  if n >= params.n { return; }
  let k = (index - block * across) * STEP;
  let c = k / params.m;
  let oy = line - n * params.oh;
  let ox = (block - line * blocks) * PIXELS;
  let rows = taps(oy, params.strideH, params.padTop, params.dilationH, params.kh, params.h);
  var sums: array<vec4<f32>, PIXELS>;
  for (var ky = rows.x; ky < rows.y; ky++) {
    let row = (n * params.h + oy * params.strideH + ky * params.dilationH - params.padTop) * params.w;
    for (var kx = 0u; kx < params.kw; kx++) {
      let w = four_w((ky * params.kw + kx) * channels() + k);
      for (var p = 0u; p < PIXELS; p++) {
        // Left of the image it wraps to a large number.
        let ix = (ox + p) * params.strideW + kx * params.dilationW - params.padLeft;
        if ix < params.w { sums[p] = fma(four_x((row + ix) * params.c + c), w, sums[p]); }
      }
    }
  }
  for (var p = 0u; p < min(PIXELS, params.ow - ox); p++) {
    finish((line * params.ow + ox + p) * channels() + k, k, sums[p]);
  }
}
