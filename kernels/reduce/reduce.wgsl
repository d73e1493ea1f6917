// reduce on WebGPU; contract in reduce.h. CODE, DTYPE, RANK, FORM, SPLIT, ARG (argmax, argmin) and ACCUMULATE are constants.
//
// FORM  1: the reduced dimensions are neighbours (sizes of 1 aside): items of an output are `stride` apart, which covers rows (stride 1)
//       and columns. 0: anything else, each item's place by division.
//
// reduce_thread  A thread an output, or, with SPLIT, a thread for each block of an output's items.
// reduce_group   The same by a workgroup of 64, whose lanes take neighbouring items and meet by group.wgsl: for rows on GPUs.
// reduce_blocks  With SPLIT: a thread an output, over what the blocks left in scratch (`partial`, four words each), in order.
//
// A sum is taken in parts of CHUNK items, which are added, and those of the blocks likewise: with at most 256 blocks the error grows with
// the third root of the length or so. Blocks follow from the shape alone. What a block leaves is f32; whole numbers are
// stored as two of 16 bits each, which no adapter can take for subnormal or NaN.

const GROUP = 64u;
const CHUNK = 256u;
const MOST_BLOCKS = 256u;

// What items have been folded to: f32 or i32 by DTYPE; `at` the first item that wins, and `any` whether there was one.
struct Folded { value: f32, word: i32, at: u32, any: bool }

fn identity() -> Folded { return Folded(select(0.0, 1.0, CODE == 4u), select(0, 1, CODE == 4u), 0u, false); }

fn beats(a: Folded, b: Folded) -> bool {
  if DTYPE == 1u {
    if a.word == b.word { return a.at < b.at; }
    return (a.word > b.word) == (CODE == 2u || CODE == 5u);
  }
  if is_nan(a.value) || is_nan(b.value) {
    if is_nan(a.value) && is_nan(b.value) { return a.at < b.at; }
    return is_nan(a.value);
  }
  if a.value == b.value { return a.at < b.at; }
  return (a.value > b.value) == (CODE == 2u || CODE == 5u);
}

fn merge(a: Folded, b: Folded) -> Folded {
  switch CODE {
    case 0u, 1u, 7u: { return Folded(a.value + b.value, a.word + b.word, 0u, true); }
    case 4u: { return Folded(a.value * b.value, a.word * b.word, 0u, true); }
    default: {
      if !a.any { return b; }
      if !b.any { return a; }
      if beats(b, a) { return b; }
      return a;
    }
  }
}

fn item(place: u32, at: u32) -> Folded {
  let word = read_x(place);
  var x = Folded(0.0, 0, at, true);
  if DTYPE == 1u { x.word = bitcast<i32>(word); } else { x.value = bitcast<f32>(word); }
  if CODE == 7u {
    x.value *= x.value;
    x.word *= x.word;
  }
  return x;
}

struct Shape { outputs: u32, length: u32, stride: u32 }
fn is_reduced(d: u32) -> bool { return ((params.axes >> d) & 1u) != 0u; }
fn shape() -> Shape {
  var s = Shape(1u, 1u, 1u);
  for (var d = RANK; d > 0u; d--) {
    let dim = param_dims(d - 1u);
    if is_reduced(d - 1u) { s.length *= dim; } else {
      s.outputs *= dim;
      if s.length == 1u { s.stride *= dim; }
    }
  }
  return s;
}

// The place of item i of the dimensions that are reduced, or of those that are kept.
fn place_of(i: u32, reduced: bool) -> u32 {
  var rest = i;
  var place = 0u;
  var step = 1u;
  for (var d = RANK; d > 0u; d--) {
    let dim = param_dims(d - 1u);
    if is_reduced(d - 1u) == reduced {
      place += rest % dim * step;
      rest /= dim;
    }
    step *= dim;
  }
  return place;
}

fn block_length(s: Shape) -> u32 {
  if !SPLIT { return s.length; }
  return max(1024u, ((s.length - 1u) / MOST_BLOCKS + 4u) / 4u * 4u);
}
fn blocks_of(s: Shape) -> u32 {
  if !SPLIT { return 1u; }
  let each = block_length(s);
  return (s.length + each - 1u) / each;
}

// Items first, first + step, ... before `end` of output k.
fn fold(s: Shape, k: u32, first: u32, end: u32, step: u32) -> Folded {
  var base = 0u;
  if FORM == 1u { base = k / s.stride * s.stride * s.length + k % s.stride; } else { base = place_of(k, false); }
  var total = identity();
  for (var start = first; start < end; start += CHUNK * step) {
    var part = identity();
    for (var r = start; r < min(start + CHUNK * step, end); r += step) {
      if FORM == 1u { part = merge(part, item(base + r * s.stride, r)); } else { part = merge(part, item(base + place_of(r, true), r)); }
    }
    total = merge(total, part);
  }
  return total;
}

fn finish(s: Shape, k: u32, folded: Folded) {
  if ARG {
    write_out(k, folded.at);
    return;
  }
  if DTYPE == 1u {
    write_out(k, bitcast<u32>(folded.word));
    return;
  }
  var value = folded.value;
  if CODE == 1u { if s.length == 0u { value = nan(); } else { value /= f32(s.length); } }
  if ACCUMULATE { value += bitcast<f32>(read_out(k)); }
  write_out(k, bitcast<u32>(value));
}

fn put(s: Shape, k: u32, block: u32, folded: Folded) {
  if !SPLIT {
    finish(s, k, folded);
    return;
  }
  let at = 4u * (k * blocks_of(s) + block);
  if DTYPE == 1u {
    let word = bitcast<u32>(folded.word);
    write_partial(at, f32(word >> 16u));
    write_partial(at + 1u, f32(word & 0xffffu));
  } else { write_partial(at, folded.value); }
  if ARG {
    write_partial(at + 2u, f32(folded.at >> 16u));
    write_partial(at + 3u, f32(folded.at & 0xffffu));
  }
}

// Neighbouring threads take neighbouring outputs of one block, so that columns are read in whole lines.
@compute @workgroup_size(64)
fn reduce_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let s = shape();
  let i = 64u * flat_group(group, groups) + lane;
  let block = i / s.outputs;
  if block >= blocks_of(s) { return; }
  let begin = block * block_length(s);
  let k = i % s.outputs;
  put(s, k, block, fold(s, k, begin, min(begin + block_length(s), s.length), 1u));
}

alias Lane = Folded;
fn combine(a: Folded, b: Folded, how: u32) -> Folded { return merge(a, b); }
fn nothing(how: u32) -> Folded { return identity(); }

@compute @workgroup_size(GROUP)
fn reduce_group(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let s = shape();
  let i = flat_group(group, groups);
  let block = i / s.outputs;
  if block >= blocks_of(s) { return; }
  let begin = block * block_length(s);
  let k = i % s.outputs;
  let folded = group_fold(lane, fold(s, k, begin + lane, min(begin + block_length(s), s.length), GROUP), 0u);
  if lane == 0u { put(s, k, block, folded); }
}

@compute @workgroup_size(64)
fn reduce_blocks(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let s = shape();
  let k = 64u * flat_group(group, groups) + lane;
  if k >= s.outputs { return; }
  var total = identity();
  for (var start = 0u; start < blocks_of(s); start += 16u) {
    var part = identity();
    for (var block = start; block < min(start + 16u, blocks_of(s)); block++) {
      let at = 4u * (k * blocks_of(s) + block);
      var folded = Folded(0.0, 0, 0u, true);
      if DTYPE == 1u { folded.word = bitcast<i32>((u32(read_partial(at)) << 16u) | u32(read_partial(at + 1u))); } else { folded.value = read_partial(at); }
      if ARG { folded.at = (u32(read_partial(at + 2u)) << 16u) | u32(read_partial(at + 3u)); } else { folded.at = block; }
      part = merge(part, folded);
    }
    total = merge(total, part);
  }
  finish(s, k, total);
}
