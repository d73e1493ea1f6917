// sgemm on CUDA cores (contract: sgemm.h; the tile: common/gemm_tile.cuh). Matrix units: tensor.cu's kernels of this room.
//
// Kernels    sgemm_{nn,nt,tn}_{large,medium,small}: tiles of 128 x 256, 128 x 128 (8 deep) and 64 x 64 (16 deep), 16 bytes an access:
//            pitches, strides and addresses are multiples of that. sgemm_{nn,nt,tn,tt}_any: 64 x 64, an element an access.
//            gemv_rows, gemv_columns: a product with one row or column. sum_parts: ends a product whose k was cut in parts.
// Limits     A medium tile reads 128 + 128 floats of a k for 128 x 128 FMAs: 64 flops a byte, from L2 or memory; a large one 85. An A100
//            has 19.5 TFLOP/s and 1.6 TB/s, 12.5 flops a byte: FMAs bind.
#include "../common/gemm_tile.cuh"
#include "sgemm.cuda.h"

namespace anneal::cuda {
namespace {

// A stored matrix. `Along`: o is the dense dimension, else k is.
template <bool Along> struct MatrixPlace {
  using Line = int64_t;  // the first element; below 0: not in the matrix
  Span<const float> data;
  int64_t start;
  int64_t pitch;
  int oEnd;

  ANNEAL_GPU Line line(int o) const { return o < oEnd ? start + (Along ? o : o * pitch) : -1; }
  ANNEAL_GPU bool at(const Line& line, int k, int64_t& index) const {
    index = line + (Along ? k * pitch : k);
    return line >= 0;
  }
};

// Tiles in the order in which neighbours share rows of A and columns of B in the L2 cache: down in columns of 8.
ANNEAL_GPU void tileOf(uint32_t tilesM, uint32_t tilesN, uint32_t& tileM, uint32_t& tileN) {
  constexpr uint32_t kGroup = 8;
  const uint32_t group = blockIdx.x / (kGroup * tilesN), first = group * kGroup;
  const uint32_t height = tilesM - first < kGroup ? tilesM - first : kGroup;
  const uint32_t within = blockIdx.x % (kGroup * tilesN);
  tileM = first + within % height;
  tileN = within / height;
}

template <class Tile, bool TransA, bool TransB, int W> ANNEAL_GPU void product(const SgemmArgs& args) {
  const uint32_t tilesM = (args.m + Tile::BM - 1) / Tile::BM, tilesN = (args.n + Tile::BN - 1) / Tile::BN;
  uint32_t tileM, tileN;
  tileOf(tilesM, tilesN, tileM, tileN);
  const uint32_t item = blockIdx.z * gridDim.y + blockIdx.y;  // matrix and part
  if (item >= args.batch * args.parts) return;
  const uint32_t matrix = item % args.batch, part = item / args.batch;
  const auto m = static_cast<int>(args.m), n = static_cast<int>(args.n), k = static_cast<int>(args.k);
  const MatrixPlace<TransA> a{args.a, static_cast<int64_t>(matrix * args.strideA), args.pitchA, m};
  const MatrixPlace<!TransB> b{args.b, static_cast<int64_t>(matrix * args.strideB), args.pitchB, n};
  const ProductEnd end{args.d, args.bias, args.accumulate, args.activation, args.fours};
  const int kBegin = static_cast<int>(part * args.part);
  const int kEnd = args.k - part * args.part < args.part ? k : kBegin + static_cast<int>(args.part);
  const int64_t first = static_cast<int64_t>(item) * m * n;
  multiplyTile<Tile, TransA, !TransB, W, W>(
      a, b, static_cast<int>(tileM) * Tile::BM, static_cast<int>(tileN) * Tile::BN, kBegin, kEnd,
      [&](int row, int column, float4 v) {
        if (row < m && column < n) end(first + static_cast<int64_t>(row) * n, column, n, v);
      });
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
