// backward_weight.wgsl's variant for adapters that are CPUs and have subgroups, always of 8 threads.
//
// broadcast  As common/broadcast.wgsl says: rows are places in the window, columns channels of dy, and depth positions. A thread reads x
//            for four neighbouring places at each of four positions; with FOUR they have one tap, and x is read as vectors.

// A position of a part: where it lies in dy, and its window's corner in x. From one to the next without divisions.
struct Walk { p: u32, n: u32, oy: u32, ox: u32 }
fn next(walk: Walk) -> Walk {
  let line_ends = walk.ox + 1u == params.ow;
  let oy = walk.oy + select(0u, 1u, line_ends);
  let image_ends = oy == params.oh;
  return Walk(walk.p + 1u, walk.n + select(0u, 1u, image_ends), select(oy, 0u, image_ends), select(walk.ox + 1u, 0u, line_ends));
}

// x at a position for the places of a thread; 0 from `end` on.
fn four_places(row: array<Row, 4>, walk: Walk, end: u32) -> vec4<f32> {
  let y = walk.oy * params.strideH;
  let x = walk.ox * params.strideW;
  let n = min(walk.n, params.n - 1u);
  var a: vec4<f32>;
  if FOUR { a = value4(row[0], n, y, x); } else { a = vec4<f32>(value(row[0], n, y, x), value(row[1], n, y, x), value(row[2], n, y, x), value(row[3], n, y, x)); }
  return select(vec4<f32>(), a, walk.p < end);
}

fn row_of_dy(p: u32, end: u32, g: u32, column: u32) -> vec4<f32> {
  let last = columns() - 1u - column;
  return select(vec4<f32>(), read4_row(min(p, end - 1u) * params.oc + g * columns() + column, last), p < end);
}

@compute @workgroup_size(8)
fn broadcast(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32) {
  let part = part_of(flat_group(group, groups), 32u, 32u);
  if part.part >= PARTS { return; }
  let j = part.column + lane * 4u;
  let column = min(j, (columns() - 1u) / 4u * 4u);
  var row: array<Row, 4>;
  for (var r = 0u; r < 4u; r++) { row[r] = row_at(min(part.row + 4u * lane + r, places()), part.g); }
  let end = part.end * params.ow;
  var at = Walk(part.line * params.ow, part.line / params.oh, part.line % params.oh, 0u);
  var sums: Rows;
  for (var p = part.line * params.ow; p < end; p += 4u) {
    let at1 = next(at);
    let at2 = next(at1);
    let at3 = next(at2);
    let a0 = four_places(row, at, end);
    let a1 = four_places(row, at1, end);
    let a2 = four_places(row, at2, end);
    let a3 = four_places(row, at3, end);
    let b = Four(array<vec4<f32>, 4>(row_of_dy(p, end, part.g, column), row_of_dy(p + 1u, end, part.g, column), row_of_dy(p + 2u, end, part.g, column), row_of_dy(p + 3u, end, part.g, column)));
    // Row 8 r + i of the sums is place 4 i + r.
    add_rows(&sums, 0u, vec4<f32>(a0.x, a1.x, a2.x, a3.x), b);
    add_rows(&sums, 8u, vec4<f32>(a0.y, a1.y, a2.y, a3.y), b);
    add_rows(&sums, 16u, vec4<f32>(a0.z, a1.z, a2.z, a3.z), b);
    add_rows(&sums, 24u, vec4<f32>(a0.w, a1.w, a2.w, a3.w), b);
    at = next(at3);
  }
  if j >= columns() { return; }
  for (var r = 0u; r < 32u; r++) { store(part, part.row + r % 8u * 4u + r / 8u, j, sums[r]); }
}
