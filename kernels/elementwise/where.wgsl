// where: RANK and DTYPE are constants. Operands as words.

fn word_a(i: u32) -> u32 {
  if has_a { return read_a(i); }
  if DTYPE == 1u { return bitcast<u32>(params.intScalarA); }
  return bitcast<u32>(params.scalarA);
}
fn word_b(i: u32) -> u32 {
  if has_b { return read_b(i); }
  if DTYPE == 1u { return bitcast<u32>(params.intScalarB); }
  return bitcast<u32>(params.scalarB);
}

@compute @workgroup_size(64)
fn where_strided(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = 64u * flat_group(group, groups) + lane;
  var count = 1u;
  for (var d = 0u; d < RANK; d++) { count *= param_dims(d); }
  if i >= count { return; }
  var rest = i;
  var at = vec3<u32>();
  for (var d = RANK; d > 0u; d--) {
    let dim = param_dims(d - 1u);
    let k = rest % dim;
    rest /= dim;
    at += k * vec3<u32>(param_strideCondition(d - 1u), param_strideA(d - 1u), param_strideB(d - 1u));
  }
  if read_condition(at.x) != 0u { write_out(i, word_a(at.y)); } else { write_out(i, word_b(at.z)); }
}
