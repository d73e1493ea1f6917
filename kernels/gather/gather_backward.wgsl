// gather_backward on WebGPU; contract in gather.h. WANTED is a constant: the threads that keep the adapter busy.
//
// A thread owns four columns of a range of the table's rows: it zeroes them, then reads all indices, four at a time, and adds the rows of dy
// that fall into its range, in their order. So no item has two writers, there are no atomics, and the result does not depend on
// how many ranges there are: as many as it takes for WANTED threads, since each reads all indices. Neighbouring threads
// own neighbouring columns: they read the same index, take the same branch, and move whole lines.

fn add_row(i: u32, row: u32, c: u32) {
  let from_ = i * params.width + c;
  let to = row * params.width + c;
  if c + 4u <= params.width { write4_dtable(to, read4_dtable(to) + read4_dy(from_)); } else {
    for (var k = 0u; c + k < params.width; k++) { write_dtable(to + k, read_dtable(to + k) + read_dy(from_ + k)); }
  }
}

@compute @workgroup_size(64)
fn gather_backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let quads = (params.width + 3u) / 4u;
  let ranges = min((WANTED + quads - 1u) / quads, params.rows);
  let each = (params.rows + ranges - 1u) / ranges;
  let thread = 64u * flat_group(group, groups) + lane;
  let begin = thread / quads * each;
  if begin >= params.rows { return; }
  let length = min(each, params.rows - begin);
  let c = 4u * (thread % quads);
  for (var row = begin; row < begin + length; row++) {
    let to = row * params.width + c;
    if c + 4u <= params.width { write4_dtable(to, vec4<f32>()); } else {
      for (var k = 0u; c + k < params.width; k++) { write_dtable(to + k, 0.0); }
    }
  }
  let fours = params.count / 4u * 4u;
  for (var i = 0u; i < fours; i += 4u) {
    let rows = vec4<u32>(read4_indices(i));
    let hits = (rows - begin) < vec4<u32>(length); // below begin wraps around to far above
    if !any(hits) { continue; }
    if hits.x { add_row(i, rows.x, c); }
    if hits.y { add_row(i + 1u, rows.y, c); }
    if hits.z { add_row(i + 2u, rows.z, c); }
    if hits.w { add_row(i + 3u, rows.w, c); }
  }
  for (var i = fours; i < params.count; i++) {
    let row = u32(read_indices(i));
    if row - begin < length { add_row(i, row, c); }
  }
}
