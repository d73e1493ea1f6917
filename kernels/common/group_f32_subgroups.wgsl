// group_f32.wgsl over a subgroup.

fn subgroup_fold(value: f32, how: u32) -> f32 {
  if how == SUM { return subgroupAdd(value); }
  return subgroupMax(select(value, -infinity(), is_nan(value)));
}
