// softmax_cross_entropy_backward on WebGPU: one pass over each row. REDUCTION is a constant.

fn slope(row: u32) -> f32 {
  if REDUCTION == 0u { return read_dLoss(row); }
  if REDUCTION == 2u { return read_dLoss(0u) / read_divisor(0u); }
  return read_dLoss(0u);
}

@compute @workgroup_size(THREADS)
fn gradient_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups) * THREADS + lane;
  if row >= params.rows { return; }
  let hit = class_of(row);
  write_gradient(row, hit, 0u, 4u, sum_of_coefficients(row, hit, 0u, 4u), slope(row));
}

@compute @workgroup_size(GROUP)
fn gradient_group(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups);
  if row >= params.rows { return; }
  let hit = class_of(row);
  let all = group_sum(lane, sum_of_coefficients(row, hit, 4u * lane, 4u * GROUP));
  write_gradient(row, hit, 4u * lane, 4u * GROUP, all, slope(row));
}
