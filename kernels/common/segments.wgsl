// One pass over the flat arena (segments.h) that applies an update rule to every element of every segment and, if asked, sums
// the norms behind the update-to-weight ratio.
//
// A workgroup takes a block of ROUNDS times 64 groups of four elements, and walks the segments that reach into it, from the first,
// which it finds by bisection. Neighbouring threads take neighbouring groups, so that memory is read in whole lines; what a
// segment has before its first and behind its last whole group is taken by the element. No workgroup memory, no barrier.
// ROUNDS is large on an adapter in software, where a workgroup costs microseconds, small on a GPU, which wants many.
//
// Norms: each thread leaves its sums of a block's slice in `partial`, f32 over at most 4 ROUNDS elements. Along the arena the pair
// (block, segment) moves like a staircase, so block + segment names the slot. A second launch, one workgroup a segment, adds
// them in an order that the shapes fix, with the rounding errors carried along (two_float.wgsl).
//
// The CPU validates the table when the kernel runs; here nobody would hear of it, so rows are cut to [0, n]: a bad table gives
// bad values, within the arena.
//
// A room gives: struct State with `weight`, `update`; struct Rule; rule_of(segment); load4, load1, store4, store1;
// advance(rule, state). load1 and store1 use the first component.

const LANES = 64u;
const BLOCK = 4u * LANES * ROUNDS;

struct Segment { begin: u32, end: u32, lr_scale: f32, weight_decay: f32, frozen: bool }

fn segment_at(s: u32) -> Segment {
  let at = 8u * s;
  let n = i32(params.n);
  let begin = clamp(read_segments(at), 0, n);
  let end = clamp(read_segments(at + 1u), begin, n);
  return Segment(u32(begin), u32(end), bitcast<f32>(read_segments(at + 2u)), bitcast<f32>(read_segments(at + 3u)), (read_segments(at + 4u) & 1) != 0);
}

// The first segment that ends behind `position`; params.segments if none does.
fn first_segment_behind(position: u32) -> u32 {
  var low = 0u;
  var high = params.segments;
  while low < high {
    let middle = (low + high) / 2u;
    if read_segments(8u * middle + 1u) > i32(position) { high = middle; } else { low = middle + 1u; }
  }
  return low;
}

// The factor on every gradient: gradScale, clipped to a global norm of clipNorm where a norm is given. A NaN norm gives NaN.
fn gradient_factor() -> f32 {
  if !has_normSquared || !(params.clipNorm > 0.0) { return params.gradScale; }
  let square = read_normSquared(0u);
  if is_nan(square) { return square; }
  let clip = params.clipNorm / (abs(params.gradScale) * sqrt(square) + 1e-6);
  return params.gradScale * select(clip, 1.0, clip > 1.0);
}

fn are_nan(x: vec4<f32>) -> vec4<bool> { return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) > vec4<u32>(INFINITY_BITS); }
fn updated_ema(ema: vec4<f32>, weight: vec4<f32>) -> vec4<f32> { return ema + params.emaRate * (weight - ema); }

@compute @workgroup_size(LANES)
fn arena_update(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = flat_group(group, groups);
  let block_begin = block * BLOCK;
  if block_begin >= params.n { return; }
  let block_end = min(block_begin + BLOCK, params.n);
  for (var s = first_segment_behind(block_begin); s < params.segments; s++) {
    let segment = segment_at(s);
    if segment.begin >= block_end { break; }
    let begin = max(segment.begin, block_begin);
    let end = min(segment.end, block_end);
    if begin >= end || segment.frozen { continue; }
    let rule = rule_of(segment);
    let head_end = min((begin + 3u) / 4u * 4u, end);
    let tail_begin = max(end / 4u * 4u, head_end);
    var updates = vec4<f32>();
    var weights = vec4<f32>();
    for (var i = head_end + 4u * lane; i < tail_begin; i += 4u * LANES) {
      let before = load4(i);
      let after = advance(rule, before);
      store4(i, after);
      if has_stats {
        updates += after.update * after.update;
        weights += before.weight * before.weight;
      }
    }
    // Lanes 0 to 3 take what lies before the whole groups, 4 to 7 what lies behind.
    let edge = select(tail_begin + lane - 4u, begin + lane, lane < 4u);
    if lane < 8u && edge < select(end, head_end, lane < 4u) {
      let before = load1(edge);
      let after = advance(rule, before);
      store1(edge, after);
      if has_stats {
        updates.x += after.update.x * after.update.x;
        weights.x += before.weight.x * before.weight.x;
      }
    }
    if has_stats {
      let at = 2u * ((block + s) * LANES + lane);
      write_partial(at, (updates.x + updates.y) + (updates.z + updates.w));
      write_partial(at + 1u, (weights.x + weights.y) + (weights.z + weights.w));
    }
  }
}

// Sums of updates and of weights, two floats each. What is not finite has no rounding error.
var<workgroup> totals: array<vec4<f32>, NORM_LANES>;

fn finite_add2(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  let sum = a.x + b.x;
  if !is_finite(sum) { return vec2<f32>(sum, 0.0); }
  return add2(a, b);
}
fn add_totals(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> { return vec4<f32>(finite_add2(a.xy, b.xy), finite_add2(a.zw, b.zw)); }

@compute @workgroup_size(NORM_LANES)
fn arena_norms(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let s = flat_group(group, groups);
  var total = vec4<f32>();
  if s < params.segments {
    let segment = segment_at(s);
    if segment.begin < segment.end && !segment.frozen {
      let blocks_end = (segment.end - 1u) / BLOCK + 1u;
      for (var block = segment.begin / BLOCK + lane / LANES; block < blocks_end; block += NORM_LANES / LANES) {
        let at = 2u * ((block + s) * LANES + lane % LANES);
        total = add_totals(total, vec4<f32>(read_partial(at), 0.0, read_partial(at + 1u), 0.0));
      }
    }
  }
  totals[lane] = total;
  workgroupBarrier();
  for (var half = NORM_LANES / 2u; half > 0u; half /= 2u) {
    if lane < half { totals[lane] = add_totals(totals[lane], totals[lane + half]); }
    workgroupBarrier();
  }
  if lane == 0u && s < params.segments {
    write_stats(2u * s, totals[0].x);
    write_stats(2u * s + 1u, totals[0].z);
  }
}
