// conv2d_backward_data as a product (product.wgsl): dx has a kind of pixels for each phase (row modulo strideH, column modulo
// strideW). A first launch turns the weights, [tap][g][channel of dy][channel of dx], so that they are read like the forward's.

@compute @workgroup_size(64)
fn turn(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = 64u * flat_group(group, groups) + lane;
  if index >= params.kh * params.kw * columns() * params.oc { return; }
  let row = index / columns();
  let c = index - row * columns();
  let tap = row / params.oc;
  write_turned(index, read_w((tap * columns() + c) * params.oc + row - tap * params.oc));
}

fn depth() -> u32 { return params.oc / params.groups; }
fn columns() -> u32 { return params.c / params.groups; }
fn source_h() -> u32 { return params.oh; }
fn source_w() -> u32 { return params.ow; }
fn read_source(i: u32) -> f32 { return read_dy(i); }
fn read4_source(i: u32) -> vec4<f32> { return read4_dy(i); }

fn weights_at(tap: u32, g: u32) -> u32 { return (tap * params.groups + g) * depth() * columns(); }
fn weights_pitch() -> u32 { return columns(); }
// Four columns; after the `last` of them stands whatever is there.
fn weights4(at: u32, last: u32) -> vec4<f32> {
  if EVEN { return read4_turned(at); }
  return vec4<f32>(read_turned(at), read_turned(at + min(1u, last)), read_turned(at + min(2u, last)), read_turned(at + min(3u, last)));
}

fn phases_across() -> u32 { return min(params.strideW, params.w); }

// The taps whose place lies a whole number of strides from pixel `phase`: hop is how many strides from one to the next.
// None where dy is empty.
fn taps_of(phase: u32, stride: u32, pad: u32, dilation: u32, kernel: u32) -> Taps {
  if params.oh * params.ow == 0u { return Taps(0u, 1u, 0u, 0u); }
  var step = 1u;
  while step * dilation % stride != 0u { step++; }
  var first = 0u;
  while first < min(kernel, step) && first * dilation % stride != (phase + pad) % stride { first++; }
  let count = select(0u, (kernel - min(first, kernel) + step - 1u) / step, first < min(kernel, step));
  return Taps(first, step, count, 0u - step * dilation / stride);
}
fn taps_down(kind: u32) -> Taps { return taps_of(kind / phases_across(), params.strideH, params.padTop, params.dilationH, params.kh); }
fn taps_across(kind: u32) -> Taps { return taps_of(kind % phases_across(), params.strideW, params.padLeft, params.dilationW, params.kw); }

// Pixels from `phase` on.
fn along(phase: u32, stride: u32, size: u32) -> u32 { return (size - phase + stride - 1u) / stride; }

fn positions(kind: u32) -> u32 {
  return params.n * along(kind / phases_across(), params.strideH, params.h) * along(kind % phases_across(), params.strideW, params.w);
}

fn position(kind: u32, i: u32, down: Taps, across: Taps) -> Position {
  let phase = vec2<u32>(kind / phases_across(), kind % phases_across());
  let rows = along(phase.x, params.strideH, params.h);
  let line_length = along(phase.y, params.strideW, params.w);
  let line = i / line_length;
  let n = line / rows;
  let row = phase.x + (line - n * rows) * params.strideH;
  let column = phase.y + (i - line * line_length) * params.strideW;
  // Of either sign, and divisible where there are taps.
  let top = i32(row + params.padTop) - i32(down.first * params.dilationH);
  let left = i32(column + params.padLeft) - i32(across.first * params.dilationW);
  return Position(n, u32(top / i32(params.strideH)), u32(left / i32(params.strideW)), (n * params.h + row) * params.w + column);
}

// `count` channels from `channel` on, at most four.
fn finish(at: Position, channel: u32, count: u32, sum: vec4<f32>) {
  let to = at.result * params.c + channel;
  if EVEN {
    write4_dx(to, sum);
    return;
  }
  for (var d = 0u; d < min(count, 4u); d++) { write_dx(to + d, sum[d]); }
}
