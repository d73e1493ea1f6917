// How layer_norm and its backward are launched on CUDA.
#include "layer_norm.cuda.h"

#include <algorithm>

#include "../../native/backends/cuda/launch.h"
#include "../common/rows.cuda.h"

namespace anneal::cuda::ops {
namespace {

constexpr uint32_t kBlock = 256;

// Columns that the backward's teams of a warp and of a block keep in registers.
constexpr int64_t kWarpCols = 512;
constexpr int64_t kBlockCols = 4096;

// Of rows, for the column sums.
constexpr int64_t kMostParts = 512;

}  // namespace

void layer_norm(Call& call) {
  LayerNormArgs args{call.input<float>(0),  call.input<float>(1),  call.input<float>(2),         call.output<float>(0),
                     call.output<float>(1), call.output<float>(2), call.as<LayerNormParams>(), 0};
  if (args.params.cols == 0 && !args.mean.present() && !args.rstd.present()) return;
  // What is absent lies at 0.
  args.vectors = args.params.cols % 4 == 0 && alignedBy16(args.x) && alignedBy16(args.gamma) && alignedBy16(args.beta) && alignedBy16(args.y);
  launchRows(call, {"layer_norm/layer_norm_8", "layer_norm/layer_norm_32", "layer_norm/layer_norm_256"}, args.params.rows,
             args.params.cols, args);
}

void layer_norm_backward(Call& call) {
  LayerNormBackwardArgs args{};
  args.dy = call.input<float>(0);
  args.x = call.input<float>(1);
  args.gamma = call.input<float>(2);
  args.mean = call.input<float>(3);
  args.rstd = call.input<float>(4);
  args.dx = call.output<float>(0);
  args.params = call.as<LayerNormBackwardParams>();
  const int64_t rows = args.params.rows, cols = args.params.cols;
  if (cols == 0) return;
  args.vectors = cols % 4 == 0 && alignedBy16(args.dy) && alignedBy16(args.x) && alignedBy16(args.gamma) && alignedBy16(args.dx);

  LayerNormFoldArgs fold{{}, call.output<float>(1), call.output<float>(2), cols, 1};
  const bool sums = fold.dgamma.present() || fold.dbeta.present();
  const int64_t lanes = cols <= 32 ? 8 : cols <= kWarpCols ? 32 : kBlock, teams = kBlock / lanes;
  const char* const kernel = lanes == 8    ? "layer_norm/layer_norm_backward_8"
                             : lanes == 32 ? "layer_norm/layer_norm_backward_32"
                                           : "layer_norm/layer_norm_backward_256";
  const bool wide = cols > kBlockCols;
  // Where sums wait for them, blocks take at least 8 rows and their teams 4 each.
  const bool inOne = sums && !wide;
  args.partRows = inOne ? std::max<int64_t>({8, teams * 4, ceilDiv(rows, kMostParts)}) : teams;
  if (!sums) {
    call.launch(kernel, {ceilDiv(rows, args.partRows)}, {kBlock}, args);
    return;
  }
  // Without rows one part of nothing.
  LayerNormBackwardArgs summing = args;
  if (wide) summing.partRows = std::max<int64_t>(32, ceilDiv(rows, 64));
  fold.parts = std::max<uint32_t>(ceilDiv(rows, summing.partRows), 1);
  summing.partial = call.scratch<float>(2 * cols * fold.parts);
  fold.partial = {summing.partial.data, summing.partial.size};
  if (wide) {
    call.launch("layer_norm/wide_sums", {ceilDiv(cols, kBlock), fold.parts}, {kBlock}, summing);
    call.launch(kernel, {ceilDiv(rows, args.partRows)}, {kBlock}, args);
  } else {
    call.launch(kernel, {fold.parts}, {kBlock}, summing);
  }
  call.launch("layer_norm/fold_sums", {ceilDiv(cols, 32), 2}, {kBlock}, fold);
}

}  // namespace anneal::cuda::ops
