// sgemm on CUDA cores (contract: sgemm.h; the tile: common/gemm_tile.cuh). Matrix units: sgemm_tensor.cu.
//
// Kernels    sgemm_{nn,nt,tn}_{large,medium,small}: tiles of 128 x 256, 128 x 128 (8 deep) and 64 x 64 (16 deep), 16 bytes an access:
//            pitches, strides and addresses are multiples of that. sgemm_{nn,nt,tn,tt}_any: 64 x 64, an element an access.
//            gemv_rows, gemv_columns: a product with one row or column. sum_parts: ends a product whose k was cut in parts.
// Limits     A medium tile reads 128 + 128 floats of a k for 128 x 128 FMAs: 64 flops a byte, from L2 or memory; a large one 85. An A100
//            has 19.5 TFLOP/s and 1.6 TB/s, 12.5 flops a byte: FMAs bind.
#include "../common/gemm_tile.cuh"
#include "matrix_place.cuh"

namespace anneal::cuda {
namespace {

template <class Tile, bool TransA, bool TransB, int W> ANNEAL_GPU void product(const SgemmArgs& args) {
  ProductPart part;
  if (!part.find(args, Tile::BM, Tile::BN)) return;
  const MatrixPlace<TransA> a = placeA<TransA>(args, part);
  const MatrixPlace<!TransB> b = placeB<!TransB>(args, part);
  const ProductEnd end{args.d, args.bias, args.accumulate, args.least, args.fours};
  multiplyTile<Tile, TransA, !TransB, W, W>(a, b, part.row, part.column, part.kBegin, part.kEnd,
                                            [&](int row, int column, float4 v) { part.finish(args, end, row, column, v); });
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256, 1) sgemm_nn_large(const SgemmArgs args) { product<LargeTile, false, false, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 1) sgemm_nt_large(const SgemmArgs args) { product<LargeTile, false, true, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 1) sgemm_tn_large(const SgemmArgs args) { product<LargeTile, true, false, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) sgemm_nn_medium(const SgemmArgs args) { product<MediumTile, false, false, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) sgemm_nt_medium(const SgemmArgs args) { product<MediumTile, false, true, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) sgemm_tn_medium(const SgemmArgs args) { product<MediumTile, true, false, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 3) sgemm_nn_small(const SgemmArgs args) { product<SmallTile, false, false, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 3) sgemm_nt_small(const SgemmArgs args) { product<SmallTile, false, true, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 3) sgemm_tn_small(const SgemmArgs args) { product<SmallTile, true, false, 4>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) sgemm_nn_any(const SgemmArgs args) { product<SmallTile, false, false, 1>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) sgemm_nt_any(const SgemmArgs args) { product<SmallTile, false, true, 1>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) sgemm_tn_any(const SgemmArgs args) { product<SmallTile, true, false, 1>(args); }
extern "C" __global__ void __launch_bounds__(256, 2) sgemm_tt_any(const SgemmArgs args) { product<SmallTile, true, true, 1>(args); }

extern "C" __global__ void sum_parts(const SumArgs args) {
  const int64_t i = flatThread();
  if (i >= static_cast<int64_t>(args.count)) return;
  float sum = 0;
  for (uint32_t part = 0; part < args.partCount; ++part) sum += args.parts[static_cast<int64_t>(part * args.count) + i];
  if (args.accumulate != 0) sum += args.c[i];
  if (args.bias.present()) sum += args.bias[static_cast<int64_t>(static_cast<uint64_t>(i) % args.columns)];
  args.c[i] = activate(sum, args.activation);
}

namespace {

ANNEAL_GPU void finishVector(const GemvArgs& args, int64_t first, uint32_t i, float sum) {
  if (args.accumulate != 0) sum += args.y[first + i];
  if (args.bias.present()) sum += args.bias[static_cast<int64_t>(i) * args.biasStep];
  args.y[first + i] = activate(sum, args.activation);
}

}  // namespace

// y[r] = sum over c of matrix[r][c] x[c]: a warp a row.
extern "C" __global__ void __launch_bounds__(256) gemv_rows(const GemvArgs args) {
  const uint32_t row = blockIdx.x * 8 + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= args.rows) return;
  const auto matrix = static_cast<int64_t>(blockIdx.y * args.strideMatrix) + static_cast<int64_t>(row) * args.columns;
  const auto x = static_cast<int64_t>(blockIdx.y * args.strideX);
  float sum = 0;
  for (uint32_t c = lane; c < args.columns; c += 32) sum = fmaf(args.matrix[matrix + c], args.x[x + c], sum);
  sum = warpSum(sum);
  if (lane == 0) finishVector(args, static_cast<int64_t>(blockIdx.y) * args.rows, row, sum);
}

// y[c] = sum over r of x[r] matrix[r][c]: 32 columns a block, its 8 warps each a share of the rows.
extern "C" __global__ void __launch_bounds__(256) gemv_columns(const GemvArgs args) {
  using Sums = Array<float, 8 * 32>;
  ANNEAL_SHARED(Sums, sums);
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = blockIdx.x * 32 + lane;
  const auto matrix = static_cast<int64_t>(blockIdx.y * args.strideMatrix);
  const auto x = static_cast<int64_t>(blockIdx.y * args.strideX);
  float sum = 0;
  if (column < args.columns)
    for (uint32_t r = warp; r < args.rows; r += 8)
      sum = fmaf(args.x[x + r], args.matrix[matrix + static_cast<int64_t>(r) * args.columns + column], sum);
  sums[static_cast<int>(warp * 32 + lane)] = sum;
  __syncthreads();
  if (warp != 0 || column >= args.columns) return;
  sum = 0;
#pragma unroll
  for (int w = 0; w < 8; ++w) sum += sums[w * 32 + static_cast<int>(lane)];
  finishVector(args, static_cast<int64_t>(blockIdx.y) * args.columns, column, sum);
}

}  // namespace anneal::cuda
