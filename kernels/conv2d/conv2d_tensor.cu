// Convolution on matrix units (contract: conv2d.h; the tile: common/tensor_tile.cuh; the operands: conv_place.cuh), where the user asked for
// TF32 or bf16: factors are rounded, sums are f32. Channels in multiples of four. Compute capability 8.0.
#include "../common/tensor_tile.cuh"
#include "conv_place.cuh"

namespace anneal::cuda {
namespace {

template <Rounding R, bool Forward> ANNEAL_GPU void convTensor(const ConvProductArgs& args) {
  const ConvTile tile(args.columns, kTensorTile, kTensorTile);
  const WindowPlace windows{args.source, args, tile.group * static_cast<int>(args.depth)};
  const ConvEnd end(args, tile.group);
  if constexpr (Forward) {
    const ForwardWeights weights{args.weights, args, tile.group * static_cast<int>(args.columns)};
    multiplyTensorTile<R, false, true>(windows, weights, tile.row, tile.column, 0, static_cast<int>(args.k), end);
  } else {
    const BackwardWeights weights{args.weights, args, tile.group * static_cast<int>(args.depth)};
    multiplyTensorTile<R, false, false>(windows, weights, tile.row, tile.column, 0, static_cast<int>(args.k), end);
  }
}

template <Rounding R> ANNEAL_GPU void convWeightTensor(const ConvWeightArgs& args) {
  const ConvTile tile(args.columns, kTensorTile, kTensorTile);
  const ConvWeightPart part(args, tile.group);
  multiplyTensorTile<R, true, true>(part.windows, part.gradient, tile.row, tile.column, part.kBegin, part.kEnd, part);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256, 1) forward_tf32(const ConvProductArgs args) { convTensor<Rounding::tf32, true>(args); }
extern "C" __global__ void __launch_bounds__(256, 1) forward_bf16(const ConvProductArgs args) { convTensor<Rounding::bf16, true>(args); }
extern "C" __global__ void __launch_bounds__(256, 1) data_tf32(const ConvProductArgs args) { convTensor<Rounding::tf32, false>(args); }
extern "C" __global__ void __launch_bounds__(256, 1) data_bf16(const ConvProductArgs args) { convTensor<Rounding::bf16, false>(args); }
extern "C" __global__ void __launch_bounds__(256, 1) weight_tf32(const ConvWeightArgs args) { convWeightTensor<Rounding::tf32>(args); }
extern "C" __global__ void __launch_bounds__(256, 1) weight_bf16(const ConvWeightArgs args) { convWeightTensor<Rounding::bf16>(args); }

}  // namespace anneal::cuda
