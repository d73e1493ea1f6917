// strided_copy on WebGPU; contract in strided_copy.h. DTYPE, RANK and ACCUMULATE are constants; items as words, u8 as bytes.
//
// copy_items  A thread copies four items that follow each other in the order of dims, so an output in that order is written in whole
//             lines; the place of the first is found by division, the next by counting on.
// copy_tiles  Transposes on GPUs: a workgroup of 64 threads moves a tile of 32 x 32 items through workgroup memory, reading along
//             dimension FAST, where the input is dense, and writing along the last, so that both sides move whole lines.

fn add_word(old: u32, x: u32) -> u32 {
  if DTYPE == 0u { return bitcast<u32>(bitcast<f32>(old) + bitcast<f32>(x)); }
  return old + x;
}
fn put(at: u32, x: u32) {
  if ACCUMULATE { write_out(at, add_word(read_out(at), x)); } else { write_out(at, x); }
}

@compute @workgroup_size(64)
fn copy_items(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = 4u * (64u * flat_group(group, groups) + lane);
  var count = 1u;
  for (var d = 0u; d < RANK; d++) { count *= param_dims(d); }
  if first >= count { return; }
  if RANK == 0u {
    put(params.outOffset, read_x(params.inOffset));
    return;
  }
  let last = max(RANK, 1u) - 1u;
  for (var i = first; i < min(first + 4u, count); ) {
    var rest = i;
    var place = vec2<i32>(i32(params.inOffset), i32(params.outOffset));
    var along = 0u;
    for (var d = RANK; d > 0u; d--) {
      let dim = param_dims(d - 1u);
      let k = rest % dim;
      rest /= dim;
      place += i32(k) * vec2<i32>(param_inStrides(d - 1u), param_outStrides(d - 1u));
      if d == RANK { along = k; }
    }
    let step = vec2<i32>(param_inStrides(last), param_outStrides(last));
    // To the end of the row, or of this thread's four.
    let end = min(min(first + 4u, count), i + param_dims(last) - along);
    for (; i < end; i++) {
      put(u32(place.y), read_x(u32(place.x)));
      place += step;
    }
  }
}

var<workgroup> tile: array<u32, 1056>; // 32 rows of 33: reads along columns fall into different banks

// FAST and the last dimension make a tile; the others are counted by the workgroups.
@compute @workgroup_size(64)
fn copy_tiles(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let last = RANK - 1u;
  let rows = param_dims(FAST);
  let cols = param_dims(last);
  var rest = flat_group(group, groups);
  let j0 = rest % ((cols + 31u) / 32u) * 32u;
  rest /= (cols + 31u) / 32u;
  let i0 = rest % ((rows + 31u) / 32u) * 32u;
  rest /= (rows + 31u) / 32u;
  var place = vec2<i32>(i32(params.inOffset), i32(params.outOffset));
  for (var d = RANK; d > 0u; d--) {
    if d - 1u == FAST || d - 1u == last { continue; }
    let dim = param_dims(d - 1u);
    place += i32(rest % dim) * vec2<i32>(param_inStrides(d - 1u), param_outStrides(d - 1u));
    rest /= dim;
  }
  let inside = rest == 0u; // else beyond the last tile
  let a = lane % 32u;
  let b = lane / 32u;
  for (var r = b; r < 32u; r += 2u) {
    if inside && i0 + a < rows && j0 + r < cols {
      tile[r * 33u + a] = read_x(u32(place.x + i32(i0 + a) * param_inStrides(FAST) + i32(j0 + r) * param_inStrides(last)));
    }
  }
  workgroupBarrier();
  for (var r = b; r < 32u; r += 2u) {
    if inside && i0 + r < rows && j0 + a < cols {
      put(u32(place.y + i32(i0 + r) * param_outStrides(FAST) + i32(j0 + a) * param_outStrides(last)), tile[a * 33u + r]);
    }
  }
}
