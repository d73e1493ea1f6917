// limit on WebGPU; contract in limit.h. KIND is a constant.
//
// fma     A thread keeps VECTORS vec4s of a task's chains in registers; numbers come from memory, so that no compiler knows them.
// read    A workgroup a block: neighbouring threads read neighbouring vec4s, and add up by group.wgsl at the end.
// stream  triad, sgd, adamw: neighbouring threads take neighbouring vec4s, ROUNDS each.

const CHAINS = 192u;
const GROUP = 64u;

// x, to a compiler maybe something else: n is below 2^31 where it counts.
fn unknown(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) ^ (params.n >> 31u)); }

@compute @workgroup_size(GROUP)
fn fma_chains(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = (flat_group(group, groups) * GROUP + lane) * 4u * VECTORS;
  if first >= params.n * CHAINS { return; }
  let half = vec4<f32>(unknown(0.5));
  let one = vec4<f32>(unknown(1.0));
  var x: array<vec4<f32>, VECTORS>;
  for (var v = 0u; v < VECTORS; v++) { x[v] = read4_x(first % CHAINS + 4u * v); }
  // By fours, so that the loop itself is hidden.
  for (var r = 0u; r < params.repeats / 4u; r++) {
    for (var v = 0u; v < VECTORS; v++) { x[v] = fma(x[v], half, one); }
    for (var v = 0u; v < VECTORS; v++) { x[v] = fma(x[v], half, one); }
    for (var v = 0u; v < VECTORS; v++) { x[v] = fma(x[v], half, one); }
    for (var v = 0u; v < VECTORS; v++) { x[v] = fma(x[v], half, one); }
  }
  for (var r = 0u; r < params.repeats % 4u; r++) {
    for (var v = 0u; v < VECTORS; v++) { x[v] = fma(x[v], half, one); }
  }
  for (var v = 0u; v < VECTORS; v++) { write4_out(first + 4u * v, x[v]); }
}

@compute @workgroup_size(GROUP)
fn read_blocks(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = flat_group(group, groups);
  let begin = min(block * params.block, params.n);
  let end = min(begin + params.block, params.n);
  let whole_end = begin + (end - begin) / 4u * 4u;
  var four: array<vec4<f32>, 4>;
  for (var r = 0u; r < params.repeats; r++) {
    var i = begin + 4u * lane;
    for (; i + 12u * GROUP < whole_end; i += 16u * GROUP) {
      for (var k = 0u; k < 4u; k++) { four[k] += read4_x(i + 4u * GROUP * k); }
    }
    for (; i < whole_end; i += 4u * GROUP) { four[0] += read4_x(i); }
    if whole_end + lane < end { four[0].x += read_x(whole_end + lane); }
  }
  let sum = (four[0] + four[1]) + (four[2] + four[3]);
  let total = group_sum(lane, (sum.x + sum.y) + (sum.z + sum.w));
  if lane == 0u && begin < end { write_out(block, total); }
}

fn stream4(x: vec4<f32>, y: vec4<f32>, p: vec4<f32>, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>) -> array<vec4<f32>, 4> {
  if KIND == 1u { return array<vec4<f32>, 4>(x + 3.0 * y, p, p, p); }
  if KIND == 3u {
    let step = 0.9 * a + (x + 1e-4 * p);
    let next = p - 1e-3 * step;
    return array<vec4<f32>, 4>(next, step, b + 1e-3 * (next - b), c);
  }
  let mean = 0.9 * a + 0.1 * x;
  let square = 0.999 * b + 0.001 * x * x;
  let next = (1.0 - 1e-5) * p - 1e-3 * mean / (sqrt(square) + 1e-8);
  return array<vec4<f32>, 4>(next, mean, square, c + 1e-3 * (next - c));
}

@compute @workgroup_size(GROUP)
fn stream(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = 4u * (GROUP * ROUNDS * flat_group(group, groups) + lane);
  for (var k = 0u; k < ROUNDS; k++) {
    let i = first + 4u * GROUP * k;
    if i >= params.n { return; }
    if i + 4u <= params.n {
      var p: vec4<f32>;
      if KIND != 1u { p = read4_out(i); }
      let next = stream4(read4_x(i), read4_y(i), p, read4_out_1(i), read4_out_2(i), read4_out_3(i));
      write4_out(i, next[0]);
      write4_out_1(i, next[1]);
      write4_out_2(i, next[2]);
      write4_out_3(i, next[3]);
      continue;
    }
    for (var j = i; j < params.n; j++) {
      let next = stream4(vec4<f32>(read_x(j)), vec4<f32>(read_y(j)), vec4<f32>(read_out(j)), vec4<f32>(read_out_1(j)), vec4<f32>(read_out_2(j)), vec4<f32>(read_out_3(j)));
      write_out(j, next[0].x);
      write_out_1(j, next[1].x);
      write_out_2(j, next[2].x);
      write_out_3(j, next[3].x);
    }
  }
}
