// binary: `binary_word(a: u32, b: u32) -> u32` is written for the function and the dtype (elementwise.webgpu.ts). DTYPE and RANK are
// constants, and with RANK 1 STEP_A and STEP_B (false: one item for all). Operands as words.

fn scalar_word() -> u32 {
  if DTYPE == 1u { return bitcast<u32>(params.intScalar); }
  return bitcast<u32>(params.scalar);
}
fn word_a(i: u32) -> u32 { if has_a { return read_a(i); } return scalar_word(); }
fn word_b(i: u32) -> u32 { if has_b { return read_b(i); } return scalar_word(); }
fn words_a(i: u32) -> vec4<u32> { if has_a && STEP_A { return read4_a(i); } return vec4<u32>(word_a(0u)); }
fn words_b(i: u32) -> vec4<u32> { if has_b && STEP_B { return read4_b(i); } return vec4<u32>(word_b(0u)); }

@compute @workgroup_size(64)
fn binary_dense(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = select(1u, params.dims_0, RANK == 1u);
  let first = 4u * (64u * flat_group(group, groups) + lane);
  if first >= count { return; }
  if first + 4u <= count {
    let a = words_a(first);
    let b = words_b(first);
    write4_out(first, vec4<u32>(binary_word(a.x, b.x), binary_word(a.y, b.y), binary_word(a.z, b.z), binary_word(a.w, b.w)));
    return;
  }
  for (var i = first; i < count; i++) { write_out(i, binary_word(word_a(select(0u, i, STEP_A)), word_b(select(0u, i, STEP_B)))); }
}

@compute @workgroup_size(64)
fn binary_strided(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = 64u * flat_group(group, groups) + lane;
  var count = 1u;
  for (var d = 0u; d < RANK; d++) { count *= param_dims(d); }
  if i >= count { return; }
  var rest = i;
  var at = vec2<u32>();
  for (var d = RANK; d > 0u; d--) {
    let dim = param_dims(d - 1u);
    let k = rest % dim;
    rest /= dim;
    at += k * vec2<u32>(param_strideA(d - 1u), param_strideB(d - 1u));
  }
  write_out(i, binary_word(word_a(at.x), word_b(at.y)));
}
