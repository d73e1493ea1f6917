// sgemm on WebGPU; contract in sgemm.h. TA, TB: whether A, B are stored transposed. The sum over K is in order; with PARTS above 1
// (split-K, for products that give few tiles a long way to go) it is cut into so many, which the shape alone decides: each
// workgroup leaves its part of the sum in scratch, [part][batch][m][n], and `add_parts` adds them in order.
//
// registers  A thread holds ROWS x 4 VECTORS of C; no workgroup memory. For adapters that are CPUs. Reads rows of B by fours, for
//            which `pack_b` may put them in place first.
// tiled4     A workgroup of 16 x 16 threads holds 64 x 64 of C, 4 x 4 a thread; 64 x 16 of A and 16 x 64 of B pass through
//            workgroup memory.
// tiled8     The same for 128 x 128 of C, 8 x 8 a thread, in steps of 8 of K: half the reads of workgroup memory for a product.

fn index_a(b: u32, i: u32, k: u32) -> u32 { return b * params.strideA + select(i * params.k + k, k * params.m + i, TA); }
fn index_b(b: u32, k: u32, j: u32) -> u32 { return b * params.strideB + select(k * params.n + j, j * params.k + k, TB); }

// What a workgroup sums: steps begin to end of K, of matrix b.
struct Span { b: u32, begin: u32, end: u32 }
fn span_of(z: u32) -> Span {
  if PARTS == 1u { return Span(z, 0u, params.k); }
  let part = z / params.batch;
  // Whole tiles of depth.
  let each = (params.k + 16u * PARTS - 1u) / (16u * PARTS) * 16u;
  return Span(z - part * params.batch, min(params.k, part * each), min(params.k, part * each + each));
}

fn finish_at(at: u32, j: u32, sum: f32) {
  var value = sum;
  if params.accumulate == 1u { value += read_c(at); }
  if has_bias { value += read_bias(j); }
  write_c(at, activate(value, params.activation));
}

// Element i, j of matrix z of C, or of its parts.
fn finish(z: u32, i: u32, j: u32, sum: f32) {
  let at = (z * params.m + i) * params.n + j;
  if PARTS > 1u { write_parts(at, sum); } else { finish_at(at, j, sum); }
}

fn activate4(x: vec4<f32>) -> vec4<f32> {
  if params.activation == 0u { return x; }
  return vec4<f32>(activate(x.x, params.activation), activate(x.y, params.activation), activate(x.z, params.activation), activate(x.w, params.activation));
}

fn finish4(z: u32, i: u32, j: u32, sum: vec4<f32>) {
  if j + 4u <= params.n {
    let at = (z * params.m + i) * params.n + j;
    if PARTS > 1u {
      write4_parts(at, sum);
      return;
    }
    var value = sum;
    if params.accumulate == 1u { value += read4_c(at); }
    if has_bias { value += read4_bias(j); }
    write4_c(at, activate4(value));
    return;
  }
  for (var d = 0u; j + d < params.n; d++) { finish(z, i, j + d, sum[d]); }
}

// Columns j to j + 3 of row k of B; what lies beyond the last column is whatever is there, and not used.
fn row_b(b: u32, k: u32, j: u32) -> vec4<f32> {
  if PACKED { return read4_packed((b * params.k + k) * packed_row() + j); }
  if !TB {
    if EVEN || j + 4u <= params.n { return read4_b(index_b(b, k, j)); }
  }
  let last = params.n - 1u;
  return vec4<f32>(read_b(index_b(b, k, j)), read_b(index_b(b, k, min(j + 1u, last))), read_b(index_b(b, k, min(j + 2u, last))), read_b(index_b(b, k, min(j + 3u, last))));
}

// Of A, one of the rows of a tile; beyond the last row, the last again.
fn value_a(b: u32, i: u32, k: u32) -> f32 { return read_a(index_a(b, min(i, params.m - 1u), k)); }

const ROWS = 8u;
const VECTORS = 4u;

@compute @workgroup_size(8)
fn registers(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let span = span_of(group.z);
  let b = span.b;
  let i = group.y * ROWS;
  let j = (group.x * 8u + lane) * 4u * VECTORS;
  if j >= params.n { return; }
  var sums: array<array<vec4<f32>, VECTORS>, ROWS>;
  let last = (params.n - 1u) / 4u * 4u;
  for (var k = span.begin; k < span.end; k++) {
    let b0 = row_b(b, k, j);
    let b1 = row_b(b, k, min(j + 4u, last));
    let b2 = row_b(b, k, min(j + 8u, last));
    let b3 = row_b(b, k, min(j + 12u, last));
    for (var r = 0u; r < ROWS; r++) {
      let a = vec4<f32>(value_a(b, i + r, k));
      sums[r][0] = fma(a, b0, sums[r][0]);
      sums[r][1] = fma(a, b1, sums[r][1]);
      sums[r][2] = fma(a, b2, sums[r][2]);
      sums[r][3] = fma(a, b3, sums[r][3]);
    }
  }
  for (var r = 0u; r < ROWS; r++) {
    if i + r >= params.m { break; }
    for (var v = 0u; v < VECTORS; v++) {
      if j + 4u * v < params.n { finish4(group.z, i + r, j + 4u * v, sums[r][v]); }
    }
  }
}

// B as [batch, K, N rounded up to 4], for `registers`, where it is stored transposed or its rows are not on boundaries of four.
fn packed_row() -> u32 { return (params.n + 3u) / 4u * 4u; }

@compute @workgroup_size(64)
fn pack_b(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let quarter = packed_row() / 4u;
  let at = 64u * flat_group(group, groups) + lane;
  if at >= params.batch * params.k * quarter { return; }
  let j = at % quarter * 4u;
  let k = at / quarter % params.k;
  let b = at / quarter / params.k;
  var value: vec4<f32>;
  for (var d = 0u; d < min(4u, params.n - j); d++) { value[d] = read_b(index_b(b, k, j + d)); }
  write4_packed(4u * at, value);
}

fn padded_a(b: u32, i: u32, k: u32) -> f32 {
  if i >= params.m || k >= params.k { return 0.0; }
  return read_a(index_a(b, i, k));
}
fn padded_b(b: u32, k: u32, j: u32) -> f32 {
  if j >= params.n || k >= params.k { return 0.0; }
  return read_b(index_b(b, k, j));
}
fn four_a(b: u32, i: u32, k: u32) -> vec4<f32> {
  return vec4<f32>(padded_a(b, i, k), padded_a(b, i + 1u, k), padded_a(b, i + 2u, k), padded_a(b, i + 3u, k));
}
fn four_b(b: u32, k: u32, j: u32) -> vec4<f32> {
  if !TB && EVEN && j + 4u <= params.n && k < params.k { return read4_b(index_b(b, k, j)); }
  return vec4<f32>(padded_b(b, k, j), padded_b(b, k, j + 1u), padded_b(b, k, j + 2u), padded_b(b, k, j + 3u));
}

// A step of K of both tiles: [depth][tile / 4], along i and along j. Either variant fills them with a vec4 of each a thread.
var<workgroup> tile_a: array<vec4<f32>, 256>;
var<workgroup> tile_b: array<vec4<f32>, 256>;

@compute @workgroup_size(16, 16)
fn tiled4(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let span = span_of(group.z);
  let b = span.b;
  let i0 = group.y * 64u;
  let j0 = group.x * 64u;
  var sums: array<vec4<f32>, 4>;
  for (var k0 = span.begin; k0 < span.end; k0 += 16u) {
    tile_a[lane] = four_a(b, i0 + lane % 16u * 4u, k0 + lane / 16u);
    tile_b[lane] = four_b(b, k0 + lane / 16u, j0 + lane % 16u * 4u);
    workgroupBarrier();
    for (var d = 0u; d < min(16u, span.end - k0); d++) {
      let x = tile_a[d * 16u + local.y];
      let v = tile_b[d * 16u + local.x];
      sums[0] = fma(vec4<f32>(x.x), v, sums[0]);
      sums[1] = fma(vec4<f32>(x.y), v, sums[1]);
      sums[2] = fma(vec4<f32>(x.z), v, sums[2]);
      sums[3] = fma(vec4<f32>(x.w), v, sums[3]);
    }
    workgroupBarrier();
  }
  let i = i0 + local.y * 4u;
  let j = j0 + local.x * 4u;
  if j >= params.n { return; }
  for (var r = 0u; r < 4u; r++) {
    if i + r < params.m { finish4(group.z, i + r, j, sums[r]); }
  }
}

@compute @workgroup_size(16, 16)
fn tiled8(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let span = span_of(group.z);
  let b = span.b;
  let i0 = group.y * 128u;
  let j0 = group.x * 128u;
  // Rows 4 y + r and 64 + 4 y + r, columns 4 x + c and 64 + 4 x + c: neighbouring threads read neighbouring words.
  var left: array<vec4<f32>, 8>;
  var right: array<vec4<f32>, 8>;
  for (var k0 = span.begin; k0 < span.end; k0 += 8u) {
    tile_a[lane] = four_a(b, i0 + lane % 32u * 4u, k0 + lane / 32u);
    tile_b[lane] = four_b(b, k0 + lane / 32u, j0 + lane % 32u * 4u);
    workgroupBarrier();
    for (var d = 0u; d < min(8u, span.end - k0); d++) {
      let v0 = tile_b[d * 32u + local.x];
      let v1 = tile_b[d * 32u + 16u + local.x];
      let x = tile_a[d * 32u + local.y];
      let y = tile_a[d * 32u + 16u + local.y];
      for (var r = 0u; r < 4u; r++) {
        left[r] = fma(vec4<f32>(x[r]), v0, left[r]);
        right[r] = fma(vec4<f32>(x[r]), v1, right[r]);
        left[4u + r] = fma(vec4<f32>(y[r]), v0, left[4u + r]);
        right[4u + r] = fma(vec4<f32>(y[r]), v1, right[4u + r]);
      }
    }
    workgroupBarrier();
  }
  let j = j0 + local.x * 4u;
  for (var r = 0u; r < 8u; r++) {
    let i = i0 + r / 4u * 64u + local.y * 4u + r % 4u;
    if i >= params.m { continue; }
    if j < params.n { finish4(group.z, i, j, left[r]); }
    if j + 64u < params.n { finish4(group.z, i, j + 64u, right[r]); }
  }
}

@compute @workgroup_size(64)
fn add_parts(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let at = 64u * flat_group(group, groups) + lane;
  let size = params.batch * params.m * params.n;
  if at >= size { return; }
  var total = 0.0;
  for (var part = 0u; part < PARTS; part++) { total += read_parts(part * size + at); }
  finish_at(at, at % params.n, total);
}
