// sgemm.wgsl's variant for adapters that are CPUs and have subgroups, always of 8 threads.
//
// broadcast  As common/broadcast.wgsl says: a thread reads four steps of K of four rows of A. A4: they come as vectors.

// Of A and of B, steps k to k + 3 of K; 0 from `end` on, where no element is multiplied by another's padding.
fn four_steps_a(b: u32, row: u32, k: u32, end: u32) -> vec4<f32> {
  let i = min(row, params.m - 1u);
  if A4 { return read4_a(index_a(b, i, k)); }
  var a: vec4<f32>;
  for (var d = 0u; d < 4u; d++) { a[d] = select(0.0, read_a(index_a(b, i, min(k + d, end - 1u))), k + d < end); }
  return a;
}
fn step_b(b: u32, k: u32, end: u32, j: u32) -> vec4<f32> {
  if A4 { return row_b(b, k, j); }
  return select(vec4<f32>(), row_b(b, min(k, end - 1u), j), k < end);
}

@compute @workgroup_size(8)
fn broadcast(@builtin(workgroup_id) group: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let span = span_of(group.z);
  let i = group.y * 32u;
  let j = group.x * 32u + lane * 4u;
  let column = min(j, (params.n - 1u) / 4u * 4u);
  var sums: Rows;
  for (var k = span.begin; k < span.end; k += 4u) {
    let b = Four(array<vec4<f32>, 4>(step_b(span.b, k, span.end, column), step_b(span.b, k + 1u, span.end, column), step_b(span.b, k + 2u, span.end, column), step_b(span.b, k + 3u, span.end, column)));
    add_rows(&sums, 0u, four_steps_a(span.b, i + lane, k, span.end), b);
    add_rows(&sums, 8u, four_steps_a(span.b, i + 8u + lane, k, span.end), b);
    add_rows(&sums, 16u, four_steps_a(span.b, i + 16u + lane, k, span.end), b);
    add_rows(&sums, 24u, four_steps_a(span.b, i + 24u + lane, k, span.end), b);
  }
  if j >= params.n { return; }
  for (var r = 0u; r < 32u; r++) {
    if i + r < params.m { finish4(group.z, i + r, j, sums[r]); }
  }
}
