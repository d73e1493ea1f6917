// sgemm on WebGPU; contract in sgemm.h. TA, TB: whether A, B are stored transposed; the sum over K is in order in every variant
// but for split-K, whose parts are of a length fixed by the shape and added in order.
//
// registers  A thread holds ROWS x 4 VECTORS of C; no workgroup memory. For adapters that are CPUs. Reads rows of B by fours, for
//            which `pack_b` may put them in place first.
// tiled      A workgroup of 16 x 16 threads holds 64 x 64 of C, 4 x 4 a thread; 64 x 16 of A and 16 x 64 of B pass through
//            workgroup memory.

fn index_a(b: u32, i: u32, k: u32) -> u32 { return b * params.strideA + select(i * params.k + k, k * params.m + i, TA); }
fn index_b(b: u32, k: u32, j: u32) -> u32 { return b * params.strideB + select(k * params.n + j, j * params.k + k, TB); }

fn finish(b: u32, i: u32, j: u32, sum: f32) {
  let at = (b * params.m + i) * params.n + j;
  var value = sum;
  if params.accumulate == 1u { value += read_c(at); }
  if has_bias { value += read_bias(j); }
  write_c(at, activate(value, params.activation));
}

fn activate4(x: vec4<f32>) -> vec4<f32> {
  if params.activation == 0u { return x; }
  return vec4<f32>(activate(x.x, params.activation), activate(x.y, params.activation), activate(x.z, params.activation), activate(x.w, params.activation));
}

fn finish4(b: u32, i: u32, j: u32, sum: vec4<f32>) {
  if j + 4u <= params.n {
    let at = (b * params.m + i) * params.n + j;
    var value = sum;
    if params.accumulate == 1u { value += read4_c(at); }
    if has_bias { value += read4_bias(j); }
    write4_c(at, activate4(value));
    return;
  }
  for (var d = 0u; j + d < params.n; d++) { finish(b, i, j + d, sum[d]); }
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
  let b = group.z;
  let i = group.y * ROWS;
  let j = (group.x * 8u + lane) * 4u * VECTORS;
  if j >= params.n { return; }
  var sums: array<array<vec4<f32>, VECTORS>, ROWS>;
  let last = (params.n - 1u) / 4u * 4u;
  for (var k = 0u; k < params.k; k++) {
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
      if j + 4u * v < params.n { finish4(b, i + r, j + 4u * v, sums[r][v]); }
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

const TILE = 64u;
const DEPTH = 16u;
var<workgroup> tile_a: array<vec4<f32>, 256>; // [DEPTH][TILE / 4], along i
var<workgroup> tile_b: array<vec4<f32>, 256>; // [DEPTH][TILE / 4], along j

fn padded_a(b: u32, i: u32, k: u32) -> f32 {
  if i >= params.m || k >= params.k { return 0.0; }
  return read_a(index_a(b, i, k));
}
fn padded_b(b: u32, k: u32, j: u32) -> f32 {
  if j >= params.n || k >= params.k { return 0.0; }
  return read_b(index_b(b, k, j));
}

@compute @workgroup_size(16, 16)
fn tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let b = group.z;
  let i0 = group.y * TILE;
  let j0 = group.x * TILE;
  var sums: array<vec4<f32>, 4>;
  // Each thread fetches a vec4 of each tile.
  let depth = lane / 16u;
  let along = (lane % 16u) * 4u;
  for (var k0 = 0u; k0 < params.k; k0 += DEPTH) {
    let k = k0 + depth;
    tile_a[lane] = vec4<f32>(padded_a(b, i0 + along, k), padded_a(b, i0 + along + 1u, k), padded_a(b, i0 + along + 2u, k), padded_a(b, i0 + along + 3u, k));
    if !TB && EVEN && j0 + TILE <= params.n && k < params.k {
      tile_b[lane] = read4_b(index_b(b, k, j0 + along));
    } else {
      tile_b[lane] = vec4<f32>(padded_b(b, k, j0 + along), padded_b(b, k, j0 + along + 1u), padded_b(b, k, j0 + along + 2u), padded_b(b, k, j0 + along + 3u));
    }
    workgroupBarrier();
    for (var d = 0u; d < min(DEPTH, params.k - k0); d++) {
      let a = tile_a[d * 16u + local.y];
      let v = tile_b[d * 16u + local.x];
      sums[0] = fma(vec4<f32>(a.x), v, sums[0]);
      sums[1] = fma(vec4<f32>(a.y), v, sums[1]);
      sums[2] = fma(vec4<f32>(a.z), v, sums[2]);
      sums[3] = fma(vec4<f32>(a.w), v, sums[3]);
    }
    workgroupBarrier();
  }
  let i = i0 + local.y * 4u;
  let j = j0 + local.x * 4u;
  if j >= params.n { return; }
  for (var r = 0u; r < 4u; r++) {
    if i + r < params.m { finish4(b, i + r, j, sums[r]); }
  }
}
