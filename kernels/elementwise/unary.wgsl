// unary: `unary_word(word: u32) -> u32` is written for the function and the dtype (elementwise.webgpu.ts). Operands as words.

@compute @workgroup_size(64)
fn unary(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = 4u * (64u * flat_group(group, groups) + lane);
  if first >= params.count { return; }
  if first + 4u <= params.count {
    let x = read4_x(first);
    write4_out(first, vec4<u32>(unary_word(x.x), unary_word(x.y), unary_word(x.z), unary_word(x.w)));
    return;
  }
  for (var i = first; i < params.count; i++) { write_out(i, unary_word(read_x(i))); }
}
