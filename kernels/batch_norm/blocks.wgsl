// What batch_norm and batch_norm_backward on WebGPU share; contracts in batch_norm.h. FOUR (channels come by fours), LANES and ROUNDS
// are constants.
//
// Blocking  Sums over rows: a thread takes a block of rows of one step of channels, 4 or 1, neighbours in a workgroup the next ones, so
//           that they read neighbours. A block is 32 rows, or so many 32s that there are at most 1024 blocks: the shape alone decides.
//           What it leaves in scratch (`stats`, below) a second launch folds: LANES lanes a channel, each over every LANES-th block, then
//           the lanes as a tree. The writing launch has the same threads, with ROUNDS rows each.
// Scratch   stats: 2 rows of channels for what the fold found, then 2 for each block.

const STEP = select(1u, 4u, FOUR);
const ROWS = 32u;
const MOST_BLOCKS = 1024u;

const FOLD_CHANNELS = 8u;
const FOLD_CHUNK = 16u;
var<workgroup> lanes: array<vec2<f32>, LANES * FOLD_CHANNELS>;

fn four_x(i: u32) -> vec4<f32> {
  if FOUR { return read4_x(i); }
  return vec4<f32>(read_x(i));
}
fn four_stats(i: u32) -> vec4<f32> {
  if FOUR { return read4_stats(i); }
  return vec4<f32>(read_stats(i));
}
fn four_gamma(i: u32) -> vec4<f32> {
  if !has_gamma { return vec4<f32>(1.0); }
  if FOUR { return read4_gamma(i); }
  return vec4<f32>(read_gamma(i));
}

fn block_rows() -> u32 {
  if params.rows == 0u { return ROWS; }
  return ROWS * ((params.rows - 1u) / (ROWS * MOST_BLOCKS) + 1u);
}
fn blocks() -> u32 {
  if params.rows == 0u { return 0u; }
  return (params.rows - 1u) / block_rows() + 1u;
}

// Where a block's sums lie.
fn stats_at(block: u32) -> u32 { return 2u * params.channels * (block + 1u); }
fn write_pair(at: u32, first: vec4<f32>, second: vec4<f32>) {
  if FOUR {
    write4_stats(at, first);
    write4_stats(at + params.channels, second);
  } else {
    write_stats(at, first.x);
    write_stats(at + params.channels, second.x);
  }
}

// Rows from `start` to below `end`, and the first of STEP channels; no rows for threads past the last.
struct Share { block: u32, start: u32, end: u32, c: u32 }
fn share_of(thread: u32, rows: u32) -> Share {
  let across = params.channels / STEP;
  let block = thread / across;
  let start = min(block * rows, params.rows);
  return Share(block, start, min(start + rows, params.rows), (thread - block * across) * STEP);
}

// The sum of what the lanes of a channel hold, to all of them. Lane and channel: index / 8 and index % 8.
fn sum_of_lanes(index: u32, value: vec2<f32>) -> vec2<f32> {
  if LANES == 1u { return value; }
  lanes[index] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if index < half * FOLD_CHANNELS { lanes[index] += lanes[index + half * FOLD_CHANNELS]; }
  }
  workgroupBarrier();
  let total = lanes[index % FOLD_CHANNELS];
  workgroupBarrier();
  return total;
}
