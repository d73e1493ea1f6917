// conv2d as a product (product.wgsl): all output positions are of one kind.

fn depth() -> u32 { return params.c / params.groups; }
fn columns() -> u32 { return params.oc / params.groups; }
fn source_h() -> u32 { return params.h; }
fn source_w() -> u32 { return params.w; }
fn read_source(i: u32) -> f32 { return read_x(i); }
fn read4_source(i: u32) -> vec4<f32> { return read4_x(i); }

fn weights_at(tap: u32, g: u32) -> u32 { return tap * depth() * params.oc + g * columns(); }
fn weights_pitch() -> u32 { return params.oc; }
// Four columns; after the `last` of them stands whatever is there.
fn weights4(at: u32, last: u32) -> vec4<f32> {
  if EVEN { return read4_w(at); }
  return vec4<f32>(read_w(at), read_w(at + min(1u, last)), read_w(at + min(2u, last)), read_w(at + min(3u, last)));
}

fn taps_down(kind: u32) -> Taps { return Taps(0u, 1u, params.kh, params.dilationH); }
fn taps_across(kind: u32) -> Taps { return Taps(0u, 1u, params.kw, params.dilationW); }

fn positions(kind: u32) -> u32 { return params.n * params.oh * params.ow; }
fn position(kind: u32, i: u32, down: Taps, across: Taps) -> Position {
  let line = i / params.ow;
  let n = line / params.oh;
  return Position(n, (line - n * params.oh) * params.strideH - params.padTop, (i - line * params.ow) * params.strideW - params.padLeft, i);
}

// `count` channels from `channel` on, at most four.
fn finish(at: Position, channel: u32, count: u32, sum: vec4<f32>) {
  let to = at.result * params.oc + channel;
  let code = params.activation;
  if EVEN {
    let value = sum + read4_bias(channel);
    write4_y(to, vec4<f32>(activate(value.x, code), activate(value.y, code), activate(value.z, code), activate(value.w, code)));
    return;
  }
  for (var d = 0u; d < min(count, 4u); d++) { write_y(to + d, activate(sum[d] + read_bias(channel + d), code)); }
}
