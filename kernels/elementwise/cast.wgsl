// cast: FROM and TO are the codes of dtypes. Words but for u8, whose items are read and written as bytes.

fn cast_word(word: u32) -> u32 {
  if TO == 0u {
    var x = bitcast<f32>(word);
    if FROM == 1u { x = f32(bitcast<i32>(word)); }
    if FROM == 2u { x = f32(word); }
    return bitcast<u32>(params.scale * x + params.offset);
  }
  if FROM == 0u {
    let x = bitcast<f32>(word);
    if is_nan(x) { return 0u; }
    if TO == 2u { return u32(clamp(x, 0.0, 255.0)); }
    if x >= 2147483648.0 { return 0x7fffffffu; }
    if x < -2147483648.0 { return 0x80000000u; }
    return bitcast<u32>(i32(x));
  }
  if TO == 2u && FROM == 1u { return u32(clamp(bitcast<i32>(word), 0, 255)); }
  return word;
}

@compute @workgroup_size(64)
fn cast_items(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = 4u * (64u * flat_group(group, groups) + lane);
  for (var i = first; i < min(first + 4u, params.count); i++) { write_out(i, cast_word(read_x(i))); }
}
