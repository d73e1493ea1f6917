// layer_norm_backward on WebGPU; contract in layer_norm.h. BLOCKED is a constant. dx may be dy, so what is summed over dy comes first.
//
// sums_thread            dgamma and dbeta: a thread takes four columns of a block of rows, neighbouring threads the next columns. BLOCKED: the
//                        sums of a block wait in scratch, `partial` [blocks, 2, cols]; else there is one block, and they are the result.
// fold_thread            The blocks' sums, four columns a thread, in order.
// layer_norm_backward_*  dx, two passes over a row: both sums at once, then the result. rows.wgsl says who takes which items.
//
// Blocks follow from the shape: at most MOST_BLOCKS, of at least LEAST_ROWS rows. Columns too are summed in parts.

const LEAST_ROWS = 32u;
const MOST_BLOCKS = 128u;
const FOLD_CHUNK = 16u;

// Four items of dy and of xhat; 0 past the end of the row.
struct Items { dy: vec4<f32>, xhat: vec4<f32> }
fn load(row: u32, c: u32, mean: f32, rstd: f32) -> Items {
  let at = row * params.cols + c;
  if c + 4u <= params.cols { return Items(read4_dy(at), (read4_x(at) - mean) * rstd); }
  var items = Items();
  for (var i = 0u; c + i < params.cols; i++) {
    items.dy[i] = read_dy(at + i);
    items.xhat[i] = (read_x(at + i) - mean) * rstd;
  }
  return items;
}

fn load_gamma(c: u32) -> vec4<f32> {
  if !has_gamma { return vec4<f32>(1.0); }
  if c + 4u <= params.cols { return read4_gamma(c); }
  var v = vec4<f32>();
  for (var i = 0u; c + i < params.cols; i++) { v[i] = read_gamma(c + i); }
  return v;
}

fn quads() -> u32 { return (params.cols + 3u) / 4u; }
fn block_rows() -> u32 { return max(LEAST_ROWS, (params.rows + MOST_BLOCKS - 1u) / MOST_BLOCKS); }

// Sums of four columns for dgamma and dbeta.
struct Sums { gamma: vec4<f32>, beta: vec4<f32> }

fn write_sums(c: u32, sums: Sums) {
  if c + 4u <= params.cols {
    if has_dgamma { write4_dgamma(c, sums.gamma); }
    if has_dbeta { write4_dbeta(c, sums.beta); }
    return;
  }
  for (var i = 0u; c + i < params.cols; i++) {
    if has_dgamma { write_dgamma(c + i, sums.gamma[i]); }
    if has_dbeta { write_dbeta(c + i, sums.beta[i]); }
  }
}

fn write_partial4(at: u32, c: u32, sums: vec4<f32>) {
  if c + 4u <= params.cols { write4_partial(at + c, sums); } else {
    for (var i = 0u; c + i < params.cols; i++) { write_partial(at + c + i, sums[i]); }
  }
}
fn read_partial4(at: u32, c: u32) -> vec4<f32> {
  if c + 4u <= params.cols { return read4_partial(at + c); }
  var v = vec4<f32>();
  for (var i = 0u; c + i < params.cols; i++) { v[i] = read_partial(at + c + i); }
  return v;
}

@compute @workgroup_size(64)
fn sums_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let thread = 64u * flat_group(group, groups) + lane;
  let block = thread / quads();
  let c = 4u * (thread % quads());
  let begin = block * block_rows();
  if begin >= max(params.rows, 1u) { return; }
  let end = min(begin + block_rows(), params.rows);
  var total = Sums();
  for (var start = begin; start < end; start += CHUNK) {
    var part = Sums(); // said, since Dawn does not zero it again each time around
    for (var row = start; row < min(start + CHUNK, end); row++) {
      let items = load(row, c, read_mean(row), read_rstd(row));
      part.gamma += items.dy * items.xhat;
      part.beta += items.dy;
    }
    total.gamma += part.gamma;
    total.beta += part.beta;
  }
  if !BLOCKED {
    write_sums(c, total);
    return;
  }
  let at = 2u * block * params.cols;
  write_partial4(at, c, total.gamma);
  write_partial4(at + params.cols, c, total.beta);
}

@compute @workgroup_size(64)
fn fold_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let c = 4u * (64u * flat_group(group, groups) + lane);
  if c >= params.cols { return; }
  let blocks = (params.rows + block_rows() - 1u) / block_rows();
  var total = Sums();
  for (var start = 0u; start < blocks; start += FOLD_CHUNK) {
    var part = Sums(); // said, since Dawn does not zero it again each time around
    for (var block = start; block < min(start + FOLD_CHUNK, blocks); block++) {
      let at = 2u * block * params.cols;
      part.gamma += read_partial4(at, c);
      part.beta += read_partial4(at + params.cols, c);
    }
    total.gamma += part.gamma;
    total.beta += part.beta;
  }
  write_sums(c, total);
}

// sum_j g and sum_j (g * xhat), with g = dy * gamma.
fn row_sums(row: u32, first: u32, step: u32, mean: f32, rstd: f32) -> vec2<f32> {
  var total = vec2<f32>();
  for (var start = first; start < params.cols; start += CHUNK * step) {
    var plain = vec4<f32>();
    var product = vec4<f32>();
    for (var c = start; c < min(start + CHUNK * step, params.cols); c += step) {
      let items = load(row, c, mean, rstd);
      let g = items.dy * load_gamma(c);
      plain += g;
      product += g * items.xhat;
    }
    total += vec2<f32>(sum4(plain), sum4(product));
  }
  return total;
}

fn write_row(row: u32, first: u32, step: u32, mean: f32, rstd: f32, sums: vec2<f32>) {
  let means = sums / f32(params.cols);
  for (var c = first; c < params.cols; c += step) {
    let items = load(row, c, mean, rstd);
    let dx = rstd * (items.dy * load_gamma(c) - means.x - items.xhat * means.y);
    let at = row * params.cols + c;
    if c + 4u <= params.cols { write4_dx(at, dx); } else { for (var i = 0u; c + i < params.cols; i++) { write_dx(at + i, dx[i]); } }
  }
}

@compute @workgroup_size(THREADS)
fn layer_norm_backward_thread(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups) * THREADS + lane;
  if row >= params.rows { return; }
  let mean = read_mean(row);
  let rstd = read_rstd(row);
  write_row(row, 0u, 4u, mean, rstd, row_sums(row, 0u, 4u, mean, rstd));
}

@compute @workgroup_size(GROUP)
fn layer_norm_backward_group(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = flat_group(group, groups);
  if row >= params.rows { return; }
  let first = 4u * lane;
  let step = 4u * GROUP;
  let mean = read_mean(row);
  let rstd = read_rstd(row);
  let own = row_sums(row, first, step, mean, rstd);
  let plain = group_sum(lane, own.x);
  let product = group_sum(lane, own.y);
  write_row(row, first, step, mean, rstd, vec2<f32>(plain, product));
}
