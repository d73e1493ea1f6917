// conv2d_backward_weight on WebGPU; contract in conv2d.h. A product whose rows are the places in a window, (tap, channel of x), and
// one more for db, where x is 1; whose columns are the channels of dy in a group; whose depth is the positions. They are cut
// into PARTS parts of whole rows of dy, a number the shape alone decides: the first launch sums each part into scratch, laid
// out as dw and db, the second adds the parts in order. So there is enough to do at once, and no sum runs over all positions.
//
// registers  A thread holds 8 rows x 4 columns, no workgroup memory: for adapters that are CPUs, whose vectors are the eight
//            threads of a workgroup. LANES of them have neighbouring columns of the same rows, for which x is loaded once.
// tiled      A workgroup of 16 x 16 threads holds 64 x 64, 4 x 4 a thread; 16 positions at a time pass through workgroup memory.
//
// Constants: EVEN, FOUR: channels of dy, of x come by fours.

fn depth_channels() -> u32 { return params.c / params.groups; }
fn columns() -> u32 { return params.oc / params.groups; }
fn places() -> u32 { return params.kh * params.kw * depth_channels(); }
fn rows() -> u32 { return places() + select(0u, 1u, has_db); }

fn read4_row(at: u32, last: u32) -> vec4<f32> {
  if EVEN { return read4_dy(at); }
  return vec4<f32>(read_dy(at), read_dy(at + min(1u, last)), read_dy(at + min(2u, last)), read_dy(at + min(3u, last)));
}

// A row of the product: where it reads x. `down` and `across` are from a window's corner, less the padding (they wrap).
struct Row { down: u32, across: u32, channel: u32, bias: bool }
fn row_at(index: u32, g: u32) -> Row {
  let tap = index / depth_channels();
  let kh = tap / params.kw;
  return Row(kh * params.dilationH - params.padTop, (tap - kh * params.kw) * params.dilationW - params.padLeft, g * depth_channels() + index - tap * depth_channels(), index >= places());
}

// x there, for this row and the three after it; with FOUR those have the same tap.
fn value4(row: Row, n: u32, y: u32, x: u32) -> vec4<f32> {
  if row.bias { return vec4<f32>(1.0); }
  let h = y + row.down;
  let w = x + row.across;
  let inside = h < params.h && w < params.w;
  return select(vec4<f32>(), read4_x(select(0u, ((n * params.h + h) * params.w + w) * params.c + row.channel, inside)), inside);
}
fn value(row: Row, n: u32, y: u32, x: u32) -> f32 {
  if row.bias { return 1.0; }
  let h = y + row.down;
  let w = x + row.across;
  let inside = h < params.h && w < params.w;
  return select(0.0, read_x(select(0u, ((n * params.h + h) * params.w + w) * params.c + row.channel, inside)), inside);
}

// What a workgroup makes. Lines are rows of dy.
struct Part { part: u32, g: u32, row: u32, column: u32, line: u32, end: u32 }
fn part_of(index: u32, height: u32, width: u32) -> Part {
  let across = (columns() + width - 1u) / width;
  let blocks = (rows() + height - 1u) / height;
  let block = index / across;
  let plane = block / blocks;
  let part = plane / params.groups;
  let lines = params.n * params.oh;
  let each = (lines + PARTS - 1u) / PARTS;
  return Part(part, plane % params.groups, (block - plane * blocks) * height, (index - block * across) * width, min(lines, part * each), min(lines, part * each + each));
}

fn store(part: Part, row: u32, column: u32, sum: vec4<f32>) {
  if row >= rows() { return; }
  let to = part.part * (rows() * params.oc) + row * params.oc + part.g * columns() + column;
  if EVEN {
    write4_parts(to, sum);
    return;
  }
  for (var d = 0u; d < min(4u, columns() - column); d++) { write_parts(to + d, sum[d]); }
}

const SETS = select(8u, 2u, FOUR);

@compute @workgroup_size(8)
fn registers(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = part_of(flat_group(group, groups), 8u / LANES * 8u, 4u * LANES);
  if part.part >= PARTS { return; }
  var first = part.row;
  if LANES < 8u { first += lane / LANES * 8u; }
  let j = part.column + lane % LANES * 4u;
  let column = min(j, (columns() - 1u) / 4u * 4u);
  let last = columns() - 1u - column;
  // Of each row, or of each four with FOUR: where it reads x, and whether it is db's.
  var row: array<Row, SETS>;
  var start: array<u32, SETS>;
  var below: array<bool, SETS>;
  for (var r = 0u; r < SETS; r++) { row[r] = row_at(first + r * (8u / SETS), part.g); }
  var sums: array<vec4<f32>, 8>;
  let image = vec2<u32>(params.h, params.w);
  let step = params.strideW;
  let hop = step * params.c;
  let pitch = params.oc;
  let along = params.ow;
  for (var line = part.line; line < part.end; line++) {
    let n = line / params.oh;
    let y = (line - n * params.oh) * params.strideH;
    for (var r = 0u; r < SETS; r++) {
      below[r] = y + row[r].down < image.x;
      start[r] = ((n * image.x + y + row[r].down) * image.y + row[r].across) * params.c + row[r].channel;
    }
    var at = line * along * pitch + part.g * columns() + column;
    var x = 0u;
    var passed = 0u;
    for (var ox = 0u; ox < along; ox++) {
      let b = read4_row(at, last);
      for (var s = 0u; s < SETS; s++) {
        let inside = below[s] && x + row[s].across < image.y;
        let from_x = select(0u, start[s] + passed, inside);
        if FOUR {
          let a = select(select(vec4<f32>(), read4_x(from_x), inside), vec4<f32>(1.0), row[s].bias);
          for (var r = 0u; r < 4u; r++) { sums[s * 4u + r] = fma(vec4<f32>(a[r]), b, sums[s * 4u + r]); }
        } else {
          let a = select(select(0.0, read_x(from_x), inside), 1.0, row[s].bias);
          sums[s] = fma(vec4<f32>(a), b, sums[s]);
        }
      }
      at += pitch;
      x += step;
      passed += hop;
    }
  }
  if j >= columns() { return; }
  for (var r = 0u; r < 8u; r++) { store(part, first + r, j, sums[r]); }
}

var<workgroup> tile_x: array<vec4<f32>, 256>; // [16 positions][64 / 4]
var<workgroup> tile_dy: array<vec4<f32>, 256>; // [16 positions][64 / 4]

@compute @workgroup_size(16, 16)
fn tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = part_of(flat_group(group, groups), 64u, 64u);
  // What this thread fetches: of every sixteenth position four rows and four columns.
  let quad = part.row + lane % 16u * 4u;
  var row: array<Row, 4>;
  for (var r = 0u; r < 4u; r++) { row[r] = row_at(quad + r, part.g); }
  let along = part.column + lane % 16u * 4u;
  let end = select(part.end * params.ow, 0u, part.part >= PARTS);
  var sums: array<vec4<f32>, 4>;
  for (var p0 = part.line * params.ow; p0 < end; p0 += 16u) {
    let p = p0 + lane / 16u;
    var a = vec4<f32>();
    var b = vec4<f32>();
    if p < end {
      let line = p / params.ow;
      let n = line / params.oh;
      let y = (line - n * params.oh) * params.strideH;
      let x = (p - line * params.ow) * params.strideW;
      if FOUR {
        if quad < rows() { a = value4(row[0], n, y, x); }
      } else {
        for (var r = 0u; r < 4u; r++) {
          if quad + r < rows() { a[r] = value(row[r], n, y, x); }
        }
      }
      if along < columns() { b = read4_row(p * params.oc + part.g * columns() + along, columns() - 1u - along); }
    }
    tile_x[lane] = a;
    tile_dy[lane] = b;
    workgroupBarrier();
    for (var d = 0u; d < 16u; d++) {
      let u = tile_x[d * 16u + local.y];
      let v = tile_dy[d * 16u + local.x];
      sums[0] = fma(vec4<f32>(u.x), v, sums[0]);
      sums[1] = fma(vec4<f32>(u.y), v, sums[1]);
      sums[2] = fma(vec4<f32>(u.z), v, sums[2]);
      sums[3] = fma(vec4<f32>(u.w), v, sums[3]);
    }
    workgroupBarrier();
  }
  let j = part.column + local.x * 4u;
  if j >= columns() || part.part >= PARTS { return; }
  for (var r = 0u; r < 4u; r++) { store(part, part.row + local.y * 4u + r, j, sums[r]); }
}

@compute @workgroup_size(64)
fn add_parts(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = 64u * flat_group(group, groups) + lane;
  let size = rows() * params.oc;
  if index >= size { return; }
  var total = 0.0;
  for (var part = 0u; part < PARTS; part++) { total += read_parts(part * size + index); }
  let weights = places() * params.oc;
  if index < weights {
    if params.accumulate == 1u { total += read_dw(index); }
    write_dw(index, total);
  } else {
    if params.accumulate == 1u { total += read_db(index - weights); }
    write_db(index - weights, total);
  }
}
