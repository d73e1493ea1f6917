// The bodies of conv2d and conv2d_backward_data on WebGPU; contract in conv2d.h.
//
// Both are products without a matrix of windows: rows are positions of the result, columns its channels (of one group), and depth
// is taps times channels of the source. Positions are of kinds that the same taps reach: all of one kind forward, backward
// one for each phase of the strides, so that no tap is in vain. The direction's own text, in front of this one, says:
//
//   depth(), columns()                 channels of source and result in a group
//   source_h(), source_w()             the source's image
//   read_source, read4_source          x or dy
//   weights_at(tap, g), weights_pitch(), weights4(at, last)
//   positions(kind), position(kind, i, down, across)
//   taps_down(kind), taps_across(kind) the taps that reach a kind
//   finish(position, channel, count, sum)
//
// registers  A thread holds ROWS x 4 of the result, no workgroup memory: for adapters that are CPUs, whose vectors are eight
//            threads. LANES threads have neighbouring columns of the same rows, whose elements of the source are then
//            loaded once for all of them; more rows to a workgroup only where columns are few.
// tiled      A workgroup of 16 x 16 threads holds 64 x 64 of the result, 4 x 4 a thread; 64 x 16 of the source and 16 x 64 of
//            the weights pass through workgroup memory. Depth is cut without regard to taps, so that few channels fill it too.
//
// Constants: EVEN, FOUR: channels of the result, of the source come by fours. The sum is in the order (tap, channel) in both.

// Taps first, first + step, ...; from one to the next the place in the source moves by `hop` (which may wrap).
struct Taps { first: u32, step: u32, count: u32, hop: u32 }
// Where the window of the first tap lies in the source, outside perhaps (then it wraps), and the index of the result's pixel.
struct Position { n: u32, top: u32, left: u32, result: u32 }

const OUTSIDE = 0xffffffffu;

// The pixel of the source.
fn place(at: Position, down: u32, across: u32) -> u32 {
  let row = at.top + down;
  let column = at.left + across;
  return select(OUTSIDE, (at.n * source_h() + row) * source_w() + column, row < source_h() && column < source_w());
}

// What a workgroup makes: `rows` x `width` of the result of a group and kind.
struct Part { kind: u32, g: u32, row: u32, column: u32 }
fn part_of(index: u32, rows: u32, width: u32) -> Part {
  let across = (columns() + width - 1u) / width;
  let blocks = (positions(0u) + rows - 1u) / rows;
  let line = index / across;
  let plane = line / blocks;
  return Part(plane / params.groups, plane % params.groups, (line - plane * blocks) * rows, (index - line * across) * width);
}

const ROWS = 6u;

@compute @workgroup_size(8)
fn registers(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = part_of(flat_group(group, groups), 8u / LANES * ROWS, 4u * LANES);
  let down = taps_down(part.kind);
  let across = taps_across(part.kind);
  let count = positions(part.kind);
  var first = part.row;
  if LANES < 8u { first += lane / LANES * ROWS; }
  let j = part.column + lane % LANES * 4u;
  // Beyond the last row and column the last ones again.
  var at: array<Position, ROWS>;
  for (var r = 0u; r < ROWS; r++) { at[r] = position(part.kind, min(first + r, max(count, 1u) - 1u), down, across); }
  let column = min(j, (columns() - 1u) / 4u * 4u);
  let last = columns() - 1u - column;
  let depths = depth();
  let pitch = weights_pitch();
  let pixel = depths * params.groups;
  var sums: array<vec4<f32>, ROWS>;
  for (var t = 0u; t < down.count; t++) {
    for (var s = 0u; s < across.count; s++) {
      var weight = weights_at((down.first + t * down.step) * params.kw + across.first + s * across.step, part.g) + column;
      var base: array<u32, ROWS>;
      var inside: array<bool, ROWS>;
      for (var r = 0u; r < ROWS; r++) {
        let p = place(at[r], t * down.hop, s * across.hop);
        inside[r] = p != OUTSIDE;
        base[r] = select(0u, p * pixel + part.g * depths, inside[r]);
      }
      if FOUR {
        for (var k = 0u; k < depths; k += 4u) {
          var a: array<vec4<f32>, ROWS>;
          for (var r = 0u; r < ROWS; r++) { a[r] = select(vec4<f32>(), read4_source(base[r] + k), inside[r]); }
          for (var d = 0u; d < 4u; d++) {
            let b = weights4(weight, last);
            for (var r = 0u; r < ROWS; r++) { sums[r] = fma(vec4<f32>(a[r][d]), b, sums[r]); }
            weight += pitch;
          }
        }
      } else {
        for (var k = 0u; k < depths; k++) {
          let b = weights4(weight, last);
          for (var r = 0u; r < ROWS; r++) {
            let a = select(0.0, read_source(base[r] + k), inside[r]);
            sums[r] = fma(vec4<f32>(a), b, sums[r]);
          }
          weight += pitch;
        }
      }
    }
  }
  if j >= columns() { return; }
  for (var r = 0u; r < ROWS; r++) {
    if first + r < count { finish(at[r], part.g * columns() + j, columns() - j, sums[r]); }
  }
}

const TILE = 64u;
var<workgroup> tile_source: array<vec4<f32>, 256>; // [64 rows][16 / 4], along the depth
var<workgroup> tile_weights: array<vec4<f32>, 256>; // [16][64 / 4], along the columns

struct Depth { tap: u32, down: u32, across: u32, channel: u32 }
fn depth_at(k: u32, down: Taps, across: Taps) -> Depth {
  let index = k / depth();
  let t = index / across.count;
  let s = index - t * across.count;
  return Depth((down.first + t * down.step) * params.kw + across.first + s * across.step, t * down.hop, s * across.hop, k - index * depth());
}

fn source_at(at: Position, g: u32, k: Depth) -> u32 {
  let p = place(at, k.down, k.across);
  return select(p * (depth() * params.groups) + g * depth() + k.channel, OUTSIDE, p == OUTSIDE);
}

@compute @workgroup_size(16, 16)
fn tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = part_of(flat_group(group, groups), TILE, TILE);
  let down = taps_down(part.kind);
  let across = taps_across(part.kind);
  let count = positions(part.kind);
  // What this thread fetches: four steps of depth of a row of the source, four columns of a step of the weights.
  let row = part.row + lane / 4u;
  let fetched = position(part.kind, min(row, max(count, 1u) - 1u), down, across);
  let along = part.column + lane % 16u * 4u;
  let depths = down.count * across.count * depth();
  var sums: array<vec4<f32>, 4>;
  for (var k0 = 0u; k0 < depths; k0 += 16u) {
    var a = vec4<f32>();
    let ka = k0 + lane % 4u * 4u;
    if row < count {
      if FOUR {
        if ka < depths {
          let i = source_at(fetched, part.g, depth_at(ka, down, across));
          if i != OUTSIDE { a = read4_source(i); }
        }
      } else {
        for (var d = 0u; d < min(4u, depths - min(ka, depths)); d++) {
          let i = source_at(fetched, part.g, depth_at(ka + d, down, across));
          if i != OUTSIDE { a[d] = read_source(i); }
        }
      }
    }
    var b = vec4<f32>();
    let kb = k0 + lane / 16u;
    if kb < depths && along < columns() {
      let k = depth_at(kb, down, across);
      b = weights4(weights_at(k.tap, part.g) + k.channel * weights_pitch() + along, columns() - 1u - along);
    }
    tile_source[lane] = a;
    tile_weights[lane] = b;
    workgroupBarrier();
    for (var d = 0u; d < 4u; d++) {
      let a0 = tile_source[local.y * 16u + d];
      let a1 = tile_source[local.y * 16u + 4u + d];
      let a2 = tile_source[local.y * 16u + 8u + d];
      let a3 = tile_source[local.y * 16u + 12u + d];
      for (var e = 0u; e < 4u; e++) {
        // Beyond the depth both are 0: nothing that is not finite is multiplied there.
        let v = tile_weights[(d * 4u + e) * 16u + local.x];
        sums[0] = fma(vec4<f32>(a0[e]), v, sums[0]);
        sums[1] = fma(vec4<f32>(a1[e]), v, sums[1]);
        sums[2] = fma(vec4<f32>(a2[e]), v, sums[2]);
        sums[3] = fma(vec4<f32>(a3[e]), v, sums[3]);
      }
    }
    workgroupBarrier();
  }
  let j = part.column + local.x * 4u;
  if j >= columns() { return; }
  for (var r = 0u; r < 4u; r++) {
    let i = part.row + local.y * 4u + r;
    if i < count { finish(position(part.kind, i, down, across), part.g * columns() + j, columns() - j, sums[r]); }
  }
}
