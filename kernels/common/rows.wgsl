// What ops on the rows of a matrix share. Each has two entries of one body: `_thread` gives a row to a thread (adapters in software, and
// short rows), `_group` to a workgroup of 64, whose partial sums and maxima meet by group.wgsl.
//
// A pass over a row takes four items at `first`, `step` items further on the next four, and so on: (0, 4) for a thread,
// (4 lane, 256) for a lane of a group, so that neighbours read neighbouring items. Sums are taken in parts of CHUNK steps, which
// are then added: the error grows with the longer of both, not with the row.

const GROUP = 64u;
const CHUNK = 64u;

fn sum4(v: vec4<f32>) -> f32 { return (v.x + v.y) + (v.z + v.w); }
fn exp4(v: vec4<f32>) -> vec4<f32> { return vec4<f32>(exp_f32(v.x), exp_f32(v.y), exp_f32(v.z), exp_f32(v.w)); }
fn above4(largest: f32, v: vec4<f32>) -> f32 { return above(above(above(above(largest, v.x), v.y), v.z), v.w); }
