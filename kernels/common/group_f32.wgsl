// Sums and maxima of f32 over a workgroup, by group.wgsl; the room says GROUP.

alias Lane = f32;
const SUM = 0u;
const LARGEST = 1u;

// The larger, where b may be NaN and is then left out: the sum of a row's exponentials shows it.
fn above(a: f32, b: f32) -> f32 { return select(a, b, !is_nan(b) && b > a); }

fn combine(a: f32, b: f32, how: u32) -> f32 {
  if how == SUM { return a + b; }
  return above(a, b);
}
fn nothing(how: u32) -> f32 {
  if how == SUM { return 0.0; }
  return -infinity();
}

// Over the lanes, for each of them.
fn group_sum(lane: u32, value: f32) -> f32 { return group_fold(lane, value, SUM); }
fn group_largest(lane: u32, value: f32) -> f32 { return group_fold(lane, value, LARGEST); }
