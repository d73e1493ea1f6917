// How batch normalisation is launched on CUDA.
#include "batch_norm.cuda.h"

#include <algorithm>
#include <bit>

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {
namespace {

constexpr uint32_t kBlock = 256;

// Rows that a thread sums, at least, and those of which it writes results; blocks that fill a large GPU, and parts at most.
constexpr int64_t kSumRows = 8;
constexpr int64_t kWriteRows = 8;
constexpr int64_t kBlocks = 1024;

// Blocks side by side, by what a thread takes of the channels.
struct Tiling {
  BatchNormTile tile;
  uint32_t blocks;

  Tiling(uint32_t rows, uint32_t channels, bool fours) : tile{rows, channels, 0, 0, fours ? 1u : 0u} {
    const int64_t vectors = fours ? channels / 4 : channels;
    tile.across = static_cast<uint32_t>(std::min<uint64_t>(std::bit_ceil(static_cast<uint64_t>(vectors)), 32));
    blocks = ceilDiv(vectors, tile.across);
  }
  int64_t down() const { return kBlock / tile.across; }

  // Rows of a block that sums and of one that writes.
  BatchNormTile summing() const {
    BatchNormTile cut = tile;
    const int64_t most = std::clamp<int64_t>(kBlocks / blocks, 1, kBlocks);
    cut.partRows = std::max<int64_t>(kSumRows * down(), ceilDiv(tile.rows, most));
    return cut;
  }
  BatchNormTile writing() const {
    BatchNormTile cut = tile;
    // No more than a grid may be high.
    cut.partRows = std::max<int64_t>(kWriteRows * down(), ceilDiv(tile.rows, 65535));
    return cut;
  }
  Dim gridOf(const BatchNormTile& cut) const { return {blocks, ceilDiv(cut.rows, cut.partRows)}; }
};

Span<const float> asInput(const Span<float>& span) { return {span.data, span.size}; }

}  // namespace

void batch_norm(Call& call) {
  const auto& p = call.as<BatchNormParams>();
  if (p.channels == 0) return;
  const bool training = p.training != 0;
  NormaliseArgs args{};
  args.x = call.input<float>(0);
  args.gamma = call.input<float>(1);
  args.beta = call.input<float>(2);
  args.y = call.output<float>(0);
  args.training = p.training;
  args.eps = p.eps;
  const Span<float> mean = call.output<float>(1), rstd = call.output<float>(2);
  if (!training) {
    args.mean = call.input<float>(3);
    args.spread = call.input<float>(4);
    args.keptMean = mean;
    args.keptRstd = rstd;
  }
  // What is absent lies at 0.
  const bool fours = p.channels % 4 == 0 && alignedBy16(args.x) && alignedBy16(args.gamma) && alignedBy16(args.beta) && alignedBy16(args.y) &&
                     alignedBy16(args.mean) && alignedBy16(args.spread) && alignedBy16(args.keptMean) && alignedBy16(args.keptRstd);
  const Tiling tiling(p.rows, p.channels, fours);
  if (training) {
    BatchStatisticsArgs statistics{};
    statistics.x = args.x;
    statistics.tile = tiling.summing();
    statistics.mean = mean;
    statistics.rstd = rstd;
    statistics.runningMean = call.output<float>(3);
    statistics.runningVar = call.output<float>(4);
    statistics.eps = p.eps;
    statistics.momentum = p.momentum;
    const Dim grid = tiling.gridOf(statistics.tile);
    statistics.parts = grid.y;
    statistics.stats = call.scratch<float>(int64_t{2} * p.channels * grid.y);
    statistics.found = call.scratch<float>(int64_t{2} * p.channels);
    call.launch("batch_norm/batch_statistics", grid, {kBlock}, statistics);
    call.launch("batch_norm/fold_statistics", {ceilDiv(p.channels, 32)}, {kBlock}, statistics);
    args.mean = asInput(statistics.found);
    args.spread = args.mean.from(p.channels);
  }
  args.tile = tiling.writing();
  Dim grid = tiling.gridOf(args.tile);
  if (!training) grid.y = std::max(grid.y, 1u);  // mean and rstd are kept even without rows
  call.launch("batch_norm/normalise", grid, {kBlock}, args);
}

void batch_norm_backward(Call& call) {
  const auto& p = call.as<BatchNormBackwardParams>();
  if (p.channels == 0) return;
  InputGradientArgs args{};
  args.dy = call.input<float>(0);
  args.x = call.input<float>(1);
  args.gamma = call.input<float>(2);
  args.mean = call.input<float>(3);
  args.rstd = call.input<float>(4);
  args.dx = call.output<float>(0);
  const bool fours = p.channels % 4 == 0 && alignedBy16(args.dy) && alignedBy16(args.x) && alignedBy16(args.gamma) &&
                     alignedBy16(args.mean) && alignedBy16(args.rstd) && alignedBy16(args.dx);
  const Tiling tiling(p.rows, p.channels, fours);
  BatchSumsArgs sums{};
  sums.dgamma = call.output<float>(1);
  sums.dbeta = call.output<float>(2);
  if (p.training != 0 || sums.dgamma.present() || sums.dbeta.present()) {
    sums.dy = args.dy;
    sums.x = args.x;
    sums.mean = args.mean;
    sums.rstd = args.rstd;
    sums.tile = tiling.summing();
    const Dim grid = tiling.gridOf(sums.tile);
    sums.parts = grid.y;
    sums.stats = call.scratch<float>(int64_t{2} * p.channels * grid.y);
    sums.found = call.scratch<float>(int64_t{2} * p.channels);
    call.launch("batch_norm/batch_sums", grid, {kBlock}, sums);
    call.launch("batch_norm/fold_batch_sums", {ceilDiv(p.channels, 32)}, {kBlock}, sums);
    if (p.training != 0) args.found = asInput(sums.found);
  }
  args.tile = tiling.writing();
  call.launch("batch_norm/input_gradient", tiling.gridOf(args.tile), {kBlock}, args);
}

}  // namespace anneal::cuda::ops
