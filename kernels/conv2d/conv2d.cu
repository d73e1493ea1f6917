// Convolution on CUDA cores by implicit products (contract: conv2d.h; the tile: common/gemm_tile.cuh): what im2col would write is read
// where it lies while a tile is filled.
//
//   forward   y[position][oc]   = sum over (tap, c)    x[window of the position, c] w[tap][c][oc]
//   data      dx[position][c]   = sum over (tap, oc)   dy[place the tap came from, oc] w[tap][c][oc], a launch for each phase of the
//             stride, with the taps that meet it: dense products without zeros between
//   weight    dw[tap, c][oc]    = sum over positions   x[window, c] dy[position][oc], in parts that sum_parts of sgemm adds in order
//
// Kernels    *_medium 128 x 128 x 8, *_small 64 x 64 x 16: 16 bytes an access, channels in multiples of four; *_any: an element an access.
// Groups     are blocks along y. Limits: as sgemm's; a position's place is worked out once for all of k, a k's by two multiplications.
#include "../common/gemm_tile.cuh"
#include "conv2d.cuda.h"

namespace anneal::cuda {
namespace {

// The windows of an image: o a position, k (tap, channel), channels beside each other.
struct WindowPlace {
  struct Line {
    int64_t image;  // its first element, of the group
    int top, left;
    bool there;
  };
  Span<const float> data;
  const ConvProductArgs& args;
  int channel;  // of the group's first

  ANNEAL_GPU Line line(int o) const {
    uint32_t row, column;
    const uint32_t lines = args.byLine.divide(static_cast<uint32_t>(o), column);
    const uint32_t n = args.byImage.divide(lines, row);
    return {static_cast<int64_t>(n) * args.sourceH * args.sourceW * args.sourceC + channel,
            static_cast<int>(row) * args.stepDown + args.beginDown, static_cast<int>(column) * args.stepAcross + args.beginAcross,
            o < static_cast<int>(args.rows)};
  }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    uint32_t c, q;
    const uint32_t tap = args.byDepth.divide(static_cast<uint32_t>(k), c);
    const uint32_t p = args.byTapsAcross.divide(tap, q);
    const int row = line.top + static_cast<int>(p) * args.down.hop, column = line.left + static_cast<int>(q) * args.across.hop;
    index = line.image + (static_cast<int64_t>(row) * args.sourceW + column) * args.sourceC + c;
    return line.there && row >= 0 && row < args.sourceH && column >= 0 && column < args.sourceW;
  }
};

// Weights [tap][depth][columns] of one group: o a column, columns beside each other (forward).
struct ForwardWeights {
  using Line = int;  // the element of a row; below 0: not one of the columns
  Span<const float> data;
  const ConvProductArgs& args;
  int first;  // column of the group's first

  ANNEAL_GPU Line line(int o) const { return o < static_cast<int>(args.columns) ? first + o : -1; }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    index = static_cast<int64_t>(k) * args.weightsPitch + line;  // rows of w are in the order of k
    return line >= 0;
  }
};

// Weights [tap][columns][depth]: depth beside each other (data).
struct BackwardWeights {
  using Line = int64_t;  // the first element; below 0: not one of the columns
  Span<const float> data;
  const ConvProductArgs& args;
  int first;  // element of the group's first in a row

  ANNEAL_GPU Line line(int o) const {
    return o < static_cast<int>(args.columns) ? static_cast<int64_t>(o) * args.weightsPitch + first : -1;
  }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    uint32_t c, q;
    const uint32_t tap = args.byDepth.divide(static_cast<uint32_t>(k), c);
    const uint32_t p = args.byTapsAcross.divide(tap, q);
    const int row = args.down.first + static_cast<int>(p) * args.down.step, column = args.across.first + static_cast<int>(q) * args.across.step;
    index = line + (static_cast<int64_t>(row) * args.kernelW + column) * args.weightsRows * args.weightsPitch + c;
    return line >= 0;
  }
};

template <class Tile, bool Forward, int W> ANNEAL_GPU void convProduct(const ConvProductArgs& args) {
  const uint32_t tilesN = (args.columns + Tile::BN - 1) / Tile::BN;
  const uint32_t tileM = blockIdx.x / tilesN, tileN = blockIdx.x % tilesN;
  const int group = static_cast<int>(blockIdx.y);
  const WindowPlace windows{args.source, args, group * static_cast<int>(args.depth)};
  const ProductEnd end{args.result, args.bias.present() ? args.bias.from(static_cast<int64_t>(group) * args.columns) : args.bias, 0,
                       args.least, args.fours};
  const auto finish = [&](int row, int column, float4 v) {
    if (row >= static_cast<int>(args.rows) || column >= static_cast<int>(args.columns)) return;
    uint32_t i, j;
    const uint32_t lines = args.byLine.divide(static_cast<uint32_t>(row), j);
    const uint32_t n = args.byImage.divide(lines, i);
    const int64_t pixel = (static_cast<int64_t>(n) * args.resultH + args.firstDown + static_cast<int64_t>(i) * args.strideDown) * args.resultW +
                          args.firstAcross + static_cast<int64_t>(j) * args.strideAcross;
    end(pixel * args.resultC + static_cast<int64_t>(group) * args.columns, column, static_cast<int>(args.columns), v);
  };
  const int oa0 = static_cast<int>(tileM) * Tile::BM, ob0 = static_cast<int>(tileN) * Tile::BN, k = static_cast<int>(args.k);
  if constexpr (Forward) {
    const ForwardWeights weights{args.weights, args, group * static_cast<int>(args.columns)};
    multiplyTile<Tile, false, true, W, W>(windows, weights, oa0, ob0, 0, k, finish);
  } else {
    const BackwardWeights weights{args.weights, args, group * static_cast<int>(args.depth)};
    multiplyTile<Tile, false, false, W, W>(windows, weights, oa0, ob0, 0, k, finish);
  }
}

// The windows again: o (tap, channel), channels beside each other; k a position.
struct TurnedWindows {
  struct Line {
    int row, column, channel;  // of the tap, from a window's first pixel
    bool there;
  };
  Span<const float> data;
  const ConvWeightArgs& args;
  int channel;

  ANNEAL_GPU Line line(int o) const {
    uint32_t c, q;
    const uint32_t tap = args.byDepth.divide(static_cast<uint32_t>(o), c);
    const uint32_t p = args.byKernelW.divide(tap, q);
    return {static_cast<int>(p * args.params.dilationH) - static_cast<int>(args.params.padTop),
            static_cast<int>(q * args.params.dilationW) - static_cast<int>(args.params.padLeft), channel + static_cast<int>(c),
            o < static_cast<int>(args.rows)};
  }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    uint32_t i, j;
    const uint32_t lines = args.byLine.divide(static_cast<uint32_t>(k), j);
    const uint32_t n = args.byImage.divide(lines, i);
    const auto h = static_cast<int>(args.params.h), w = static_cast<int>(args.params.w);
    const int row = static_cast<int>(i * args.params.strideH) + line.row, column = static_cast<int>(j * args.params.strideW) + line.column;
    index = ((static_cast<int64_t>(n) * h + row) * w + column) * args.params.c + line.channel;
    return line.there && row >= 0 && row < h && column >= 0 && column < w;
  }
};

struct GradientPlace {
  using Line = int;  // the element of a row; below 0: not one of the columns
  Span<const float> data;
  const ConvWeightArgs& args;
  int first;

  ANNEAL_GPU Line line(int o) const { return o < static_cast<int>(args.columns) ? first + o : -1; }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    index = static_cast<int64_t>(k) * args.params.oc + line;
    return line >= 0;
  }
};

template <class Tile, int W> ANNEAL_GPU void convWeight(const ConvWeightArgs& args) {
  const uint32_t tilesN = (args.columns + Tile::BN - 1) / Tile::BN;
  const uint32_t tileM = blockIdx.x / tilesN, tileN = blockIdx.x % tilesN, group = blockIdx.y, part = blockIdx.z;
  const TurnedWindows windows{args.x, args, static_cast<int>(group * (args.params.c / args.params.groups))};
  const int first = static_cast<int>(group * args.columns);
  const GradientPlace gradient{args.dy, args, first};
  const ProductEnd end{args.dw, {nullptr, 0}, args.accumulate, -INFINITY, args.fours};
  const uint32_t kBegin = part * args.part, kEnd = args.positions - kBegin < args.part ? args.positions : kBegin + args.part;
  const int64_t start = static_cast<int64_t>(part) * args.rows * args.params.oc + first;
  multiplyTile<Tile, true, true, W, W>(windows, gradient, static_cast<int>(tileM) * Tile::BM, static_cast<int>(tileN) * Tile::BN,
                                       static_cast<int>(kBegin), static_cast<int>(kEnd), [&](int row, int column, float4 v) {
                                         if (row < static_cast<int>(args.rows) && column < static_cast<int>(args.columns))
                                           end(start + static_cast<int64_t>(row) * args.params.oc, column,
                                               static_cast<int>(args.columns), v);
                                       });
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256, kWindowBlocks) forward_medium(const ConvProductArgs args) { convProduct<MediumTile, true, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 3) forward_small(const ConvProductArgs args) { convProduct<SmallTile, true, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) forward_any(const ConvProductArgs args) { convProduct<SmallTile, true, 1>(args); }
extern "C" __global__ void __launch_bounds__(256, kWindowBlocks) data_medium(const ConvProductArgs args) { convProduct<MediumTile, false, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 3) data_small(const ConvProductArgs args) { convProduct<SmallTile, false, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) data_any(const ConvProductArgs args) { convProduct<SmallTile, false, 1>(args); }
extern "C" __global__ void __launch_bounds__(256, kWindowBlocks) weight_medium(const ConvWeightArgs args) { convWeight<MediumTile, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 3) weight_small(const ConvWeightArgs args) { convWeight<SmallTile, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) weight_any(const ConvWeightArgs args) { convWeight<SmallTile, 1>(args); }

// 32 channels and a part of the positions a block; its 8 warps each take every eighth.
extern "C" __global__ void __launch_bounds__(256) bias_gradient(const ConvBiasArgs args) {
  using Sums = Array<float, 8 * 32>;
  ANNEAL_SHARED(Sums, sums);
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, channel = blockIdx.x * 32 + lane;
  const uint32_t begin = blockIdx.y * args.part, end = args.positions - begin < args.part ? args.positions : begin + args.part;
  float sum = 0;
  if (channel < args.channels)
    for (uint32_t i = begin + warp; i < end; i += 8) sum += args.dy[static_cast<int64_t>(i) * args.channels + channel];
  sums[static_cast<int>(warp * 32 + lane)] = sum;
  __syncthreads();
  if (warp != 0 || channel >= args.channels) return;
  sum = 0;
#pragma unroll
  for (int w = 0; w < 8; ++w) sum += sums[w * 32 + static_cast<int>(lane)];
  args.sums[static_cast<int64_t>(blockIdx.y) * args.channels + channel] = sum;
}

}  // namespace anneal::cuda
