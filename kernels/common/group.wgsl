// What the GROUP threads of a workgroup hold, folded into one, for each of them: group_fold(lane, value, how). Of this text there
// are two forms, the other being group_subgroups.wgsl. The room says
//
//   GROUP, Lane                what a thread holds
//   combine(a, b, how) -> Lane
//   nothing(how) -> Lane       combined with it everything stays what it is
//
// This form goes through workgroup memory in a tree, 7 barriers for 64 threads.

var<workgroup> group_lanes: array<Lane, GROUP>;

fn group_fold(lane: u32, value: Lane, how: u32) -> Lane {
  group_lanes[lane] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half >>= 1u) {
    if lane < half { group_lanes[lane] = combine(group_lanes[lane], group_lanes[lane + half], how); }
    workgroupBarrier();
  }
  let all = group_lanes[0];
  workgroupBarrier();
  return all;
}
