// gather on WebGPU; contract in gather.h. DTYPE, ROUNDS and WHOLE (rows are whole fours of words) are constants, `copy_four(to, at)` is
// written for the dtype (gather.webgpu.ts); items as words, u8 as bytes.
//
// A thread copies ROUNDS times four items that follow each other, neighbouring threads the next four, so the output is written in whole
// lines. A row is found by division only for the first of the four.
//
// An index outside of the table cannot be refused here, where nobody would hear of it: its row is NaN, 0 for integers.

fn item_of(row: u32, c: u32) -> u32 {
  if row < params.rows { return read_table(row * params.width + c); }
  return select(0u, nan_word, DTYPE == 0u);
}

@compute @workgroup_size(64)
fn gather(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let count = params.count * params.width;
  let begin = 4u * (64u * ROUNDS * flat_group(group, groups) + lane);
  for (var round = 0u; round < ROUNDS; round++) {
    let first = begin + 256u * round;
    if first >= count { return; }
    var i = first / params.width;
    var c = first - i * params.width;
    var row = u32(read_indices(i));
    if WHOLE && row < params.rows {
      copy_four(first, row * params.width + c);
      continue;
    }
    for (var at = first; at < min(first + 4u, count); at++) {
      if c == params.width {
        c = 0u;
        i++;
        row = u32(read_indices(i));
      }
      write_out(at, item_of(row, c));
      c++;
    }
  }
}
