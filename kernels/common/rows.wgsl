// What ops on the rows of a matrix share. Each has two entries of one body: `_thread` gives a row to a thread (adapters in software, and
// short rows), `_group` to a workgroup of 64, whose partial sums and maxima meet in workgroup memory in a tree of fixed shape.
//
// A pass over a row takes four items at `first`, `step` items further on the next four, and so on: (0, 4) for a thread,
// (4 lane, 256) for a lane of a group, so that neighbours read neighbouring items. Sums are taken in parts of CHUNK steps, which
// are then added: the error grows with the longer of both, not with the row.

const GROUP = 64u;
const CHUNK = 64u;

var<workgroup> shared_values: array<f32, GROUP>;

// The larger, where b may be NaN and is then left out: the sum of a row's exponentials shows it.
fn above(a: f32, b: f32) -> f32 { return select(a, b, !is_nan(b) && b > a); }

// The sum over the lanes, for each of them.
fn group_sum(lane: u32, value: f32) -> f32 {
  shared_values[lane] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half >>= 1u) {
    if lane < half { shared_values[lane] += shared_values[lane + half]; }
    workgroupBarrier();
  }
  let total = shared_values[0];
  workgroupBarrier();
  return total;
}

// The largest over the lanes.
fn group_largest(lane: u32, value: f32) -> f32 {
  shared_values[lane] = value;
  workgroupBarrier();
  for (var half = GROUP / 2u; half > 0u; half >>= 1u) {
    if lane < half { shared_values[lane] = above(shared_values[lane], shared_values[lane + half]); }
    workgroupBarrier();
  }
  let largest = shared_values[0];
  workgroupBarrier();
  return largest;
}

fn sum4(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }
fn exp4(v: vec4<f32>) -> vec4<f32> { return vec4<f32>(exp_f32(v.x), exp_f32(v.y), exp_f32(v.z), exp_f32(v.w)); }
fn above4(largest: f32, v: vec4<f32>) -> f32 { return above(above(above(above(largest, v.x), v.y), v.z), v.w); }
