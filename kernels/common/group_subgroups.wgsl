// As group.wgsl, where the adapter has subgroups: 2 barriers. Besides, a text of the room's says
//
//   subgroup_fold(value, how) -> Lane    over the subgroup's active threads, for each of them
//
// No size of subgroups is assumed, nor which threads share one: each subgroup leaves what it folded in the place of one of its
// threads, then each folds all places anew, and so comes to the same. The order of a sum is the adapter's, every time the same.

var<workgroup> group_lanes: array<Lane, GROUP>;

fn group_fold(lane: u32, value: Lane, how: u32) -> Lane {
  let own = subgroup_fold(value, how);
  if subgroupElect() { group_lanes[lane] = own; } else { group_lanes[lane] = nothing(how); }
  let size = subgroupAdd(1u);
  let rank = subgroupExclusiveAdd(1u);
  workgroupBarrier();
  var all = group_lanes[rank];
  for (var at = rank + size; at < GROUP; at += size) { all = combine(all, group_lanes[at], how); }
  workgroupBarrier();
  return subgroup_fold(all, how);
}
