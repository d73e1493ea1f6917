// Convolution on CUDA cores by implicit products (contract: conv2d.h; the tile: common/gemm_tile.cuh): what im2col would write is read
// where it lies while a tile is filled.
//
//   forward   y[position][oc]   = sum over (tap, c)    x[window of the position, c] w[tap][c][oc]
//   data      dx[position][c]   = sum over (tap, oc)   dy[place the tap came from, oc] w[tap][c][oc], a launch for each phase of the
//             stride, with the taps that meet it: dense products without zeros between
//   weight    dw[tap, c][oc]    = sum over positions   x[window, c] dy[position][oc], in parts that sum_parts of sgemm adds in order
//
// Kernels    *_medium 128 x 128 x 8, *_small 64 x 64 x 16: 16 bytes an access, channels in multiples of four; *_any: an element an access.
// Groups     are blocks along y. Matrix units: conv2d_tensor.cu. Limits: as sgemm's; a position's place is worked out once for all of k, a k's by two multiplications.
#include "conv_place.cuh"

namespace anneal::cuda {
namespace {

template <class Tile, bool Forward, int W> ANNEAL_GPU void convProduct(const ConvProductArgs& args) {
  const ConvTile tile(args.columns, Tile::BM, Tile::BN);
  const WindowPlace windows{args.source, args, tile.group * static_cast<int>(args.depth)};
  const ConvEnd end(args, tile.group);
  if constexpr (Forward) {
    const ForwardWeights weights{args.weights, args, tile.group * static_cast<int>(args.columns)};
    multiplyTile<Tile, false, true, W, W>(windows, weights, tile.row, tile.column, 0, static_cast<int>(args.k), end);
  } else {
    const BackwardWeights weights{args.weights, args, tile.group * static_cast<int>(args.depth)};
    multiplyTile<Tile, false, false, W, W>(windows, weights, tile.row, tile.column, 0, static_cast<int>(args.k), end);
  }
}

template <class Tile, int W> ANNEAL_GPU void convWeight(const ConvWeightArgs& args) {
  const ConvTile tile(args.columns, Tile::BM, Tile::BN);
  const ConvWeightPart part(args, tile.group);
  multiplyTile<Tile, true, true, W, W>(part.windows, part.gradient, tile.row, tile.column, part.kBegin, part.kEnd, part);
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
