// fill: DTYPE is a constant.

@compute @workgroup_size(64)
fn fill(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let word = select(bitcast<u32>(params.intValue), bitcast<u32>(params.value), DTYPE == 0u);
  let first = 4u * (64u * flat_group(group, groups) + lane);
  for (var i = first; i < min(first + 4u, params.count); i++) { write_out(i, word); }
}
