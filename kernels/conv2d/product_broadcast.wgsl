// product.wgsl's variant for adapters that are CPUs and have subgroups, always of 8 threads.
//
// broadcast  As common/broadcast.wgsl says: rows are positions, columns channels of the result; a thread reads four channels of the
//            source at four of the positions. FEW: there are fewer than four, and depth is cut without regard to taps.

// Steps k to k + 3 of a window's pixel that starts at `base`; 0 outside of the image and from `end` on.
fn four_steps(base: u32, inside: bool, k: u32, end: u32) -> vec4<f32> {
  if FOUR { return select(vec4<f32>(), read4_source(base + k), inside); }
  var a: vec4<f32>;
  for (var d = 0u; d < 4u; d++) { a[d] = select(0.0, read_source(base + min(k + d, end - 1u)), inside && k + d < end); }
  return a;
}

fn four_weights(at: u32, pitch: u32, last: u32, count: u32) -> Four {
  var b: Four;
  b.b[0] = weights4(at, last);
  if FOUR || count > 1u { b.b[1] = weights4(at + pitch, last); }
  if FOUR || count > 2u { b.b[2] = weights4(at + 2u * pitch, last); }
  if FOUR || count > 3u { b.b[3] = weights4(at + 3u * pitch, last); }
  return b;
}

// A step of depth, of all taps: the next without divisions. From t = down.count on there are none.
struct Step { t: u32, s: u32, channel: u32 }
fn next(step: Step, across: u32, depths: u32) -> Step {
  let tap_ends = step.channel + 1u == depths;
  let s = step.s + select(0u, 1u, tap_ends);
  let line_ends = s == across;
  return Step(step.t + select(0u, 1u, line_ends), select(s, 0u, line_ends), select(step.channel + 1u, 0u, tap_ends));
}

fn weights_of(step: Step, g: u32, down: Taps, across: Taps, column: u32, last: u32) -> vec4<f32> {
  let inside = step.t < down.count;
  let tap = select(0u, (down.first + step.t * down.step) * params.kw + across.first + step.s * across.step, inside);
  return select(vec4<f32>(), weights4(weights_at(tap, g) + step.channel * weights_pitch() + column, last), inside);
}

fn source_of(at: Position, step: Step, g: u32, down: Taps, across: Taps) -> f32 {
  let p = place(at, step.t * down.hop, step.s * across.hop);
  let inside = p != OUTSIDE && step.t < down.count;
  return select(0.0, read_source(select(0u, (p * params.groups + g) * depth() + step.channel, inside)), inside);
}

@compute @workgroup_size(8)
fn broadcast(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let part = part_of(flat_group(group, groups), 32u, 32u);
  let down = taps_down(part.kind);
  let across = taps_across(part.kind);
  let count = positions(part.kind);
  let j = part.column + lane * 4u;
  // Beyond the last row and column the last ones again.
  var at: array<Position, 4>;
  for (var r = 0u; r < 4u; r++) { at[r] = position(part.kind, min(part.row + 8u * r + lane, max(count, 1u) - 1u), down, across); }
  let column = min(j, (columns() - 1u) / 4u * 4u);
  let last = columns() - 1u - column;
  let depths = depth();
  let pitch = weights_pitch();
  let pixel = depths * params.groups;
  var sums: Rows;
  if FEW {
    let steps = down.count * across.count * depths;
    var step = Step(0u, 0u, 0u);
    for (var k = 0u; k < steps; k += 4u) {
      let step1 = next(step, across.count, depths);
      let step2 = next(step1, across.count, depths);
      let step3 = next(step2, across.count, depths);
      let b = Four(array<vec4<f32>, 4>(weights_of(step, part.g, down, across, column, last), weights_of(step1, part.g, down, across, column, last), weights_of(step2, part.g, down, across, column, last), weights_of(step3, part.g, down, across, column, last)));
      add_rows(&sums, 0u, vec4<f32>(source_of(at[0], step, part.g, down, across), source_of(at[0], step1, part.g, down, across), source_of(at[0], step2, part.g, down, across), source_of(at[0], step3, part.g, down, across)), b);
      add_rows(&sums, 8u, vec4<f32>(source_of(at[1], step, part.g, down, across), source_of(at[1], step1, part.g, down, across), source_of(at[1], step2, part.g, down, across), source_of(at[1], step3, part.g, down, across)), b);
      add_rows(&sums, 16u, vec4<f32>(source_of(at[2], step, part.g, down, across), source_of(at[2], step1, part.g, down, across), source_of(at[2], step2, part.g, down, across), source_of(at[2], step3, part.g, down, across)), b);
      add_rows(&sums, 24u, vec4<f32>(source_of(at[3], step, part.g, down, across), source_of(at[3], step1, part.g, down, across), source_of(at[3], step2, part.g, down, across), source_of(at[3], step3, part.g, down, across)), b);
      step = next(step3, across.count, depths);
    }
  }
  for (var t = 0u; !FEW && t < down.count; t++) {
    for (var s = 0u; s < across.count; s++) {
      var weight = weights_at((down.first + t * down.step) * params.kw + across.first + s * across.step, part.g) + column;
      var base: array<u32, 4>;
      var inside: array<bool, 4>;
      for (var r = 0u; r < 4u; r++) {
        let p = place(at[r], t * down.hop, s * across.hop);
        inside[r] = p != OUTSIDE;
        base[r] = select(0u, p * pixel + part.g * depths, inside[r]);
      }
      for (var k = 0u; k < depths; k += 4u) {
        let b = four_weights(weight, pitch, last, depths - k);
        add_rows(&sums, 0u, four_steps(base[0], inside[0], k, depths), b);
        add_rows(&sums, 8u, four_steps(base[1], inside[1], k, depths), b);
        add_rows(&sums, 16u, four_steps(base[2], inside[2], k, depths), b);
        add_rows(&sums, 24u, four_steps(base[3], inside[3], k, depths), b);
        weight += 4u * pitch;
      }
    }
  }
  if j >= columns() { return; }
  for (var r = 0u; r < 32u; r++) {
    if part.row + r < count { finish(position(part.kind, part.row + r, down, across), part.g * columns() + j, columns() - j, sums[r]); }
  }
}
