// Pooling on WebGPU, forward and backward; contract in pool2d.h.
//
// A thread makes four neighbouring channels of one element of the result, or one channel where C or an operand's place is no
// multiple of four (FOUR false; all parts of a vector are that channel then). Neighbouring threads have neighbouring channels,
// so that what they read and write lies together. Backward gathers: the windows that hold an element follow from strides and
// kernel, and are added up in raster order, so nothing is written twice.

const STEP = select(1u, 4u, FOUR);

// Where a thread's part of an image [N, rows, columns, C] lies.
struct Element { inside: bool, at: u32, n: u32, row: u32, column: u32, c: u32 }

fn element(group: vec3<u32>, groups: vec3<u32>, lane: u32, rows: u32, columns: u32) -> Element {
  let index = 64u * flat_group(group, groups) + lane;
  let across = params.c / STEP;
  let pixel = index / across;
  let line = pixel / columns;
  let n = line / rows;
  return Element(n < params.n, index * STEP, n, line - n * rows, pixel - line * columns, (index - pixel * across) * STEP);
}

// What of a window's rows or columns lies in the image: its taps from x to below y.
fn taps(at: u32, stride: u32, pad: u32, kernel: u32, size: u32) -> vec2<u32> {
  let first = at * stride;
  return vec2<u32>(pad - min(first, pad), min(kernel, size + pad - first));
}

// The windows that hold a row or column, from x to below y.
fn windows(at: u32, stride: u32, pad: u32, kernel: u32, count: u32) -> vec2<u32> {
  let place = at + pad;
  var first = 0u;
  if place >= kernel { first = (place - kernel) / stride + 1u; }
  return vec2<u32>(first, min(count, place / stride + 1u));
}

fn divisor(rows: vec2<u32>, columns: vec2<u32>) -> f32 {
  if params.countIncludePad == 1u { return f32(params.kh * params.kw); }
  return f32((rows.y - rows.x) * (columns.y - columns.x));
}
