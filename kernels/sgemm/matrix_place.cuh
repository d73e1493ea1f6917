// Where sgemm's operands lie, for the tiles of common/.
#pragma once

#include "../common/gemm_tile.cuh"
#include "sgemm.cuda.h"

namespace anneal::cuda {

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

// What a block makes: a tile of one matrix of the batch, and of one part of k.
struct ProductPart {
  uint32_t matrix;
  int64_t first;  // of the matrix's elements in the result
  int row, column, kBegin, kEnd;

  // False: nothing.
  ANNEAL_GPU bool find(const SgemmArgs& args, uint32_t rows, uint32_t columns) {
    const uint32_t item = blockIdx.z * gridDim.y + blockIdx.y;
    if (item >= args.batch * args.parts) return false;
    uint32_t tileM, tileN;
    tileOf((args.m + rows - 1) / rows, (args.n + columns - 1) / columns, tileM, tileN);
    matrix = item % args.batch;
    const uint32_t begin = item / args.batch * args.part;
    first = static_cast<int64_t>(item) * args.m * args.n;
    row = static_cast<int>(tileM * rows);
    column = static_cast<int>(tileN * columns);
    kBegin = static_cast<int>(begin);
    kEnd = static_cast<int>(args.k - begin < args.part ? args.k : begin + args.part);
    return true;
  }

  ANNEAL_GPU void finish(const SgemmArgs& args, const ProductEnd& end, int row, int column, float4 v) const {
    const auto m = static_cast<int>(args.m), n = static_cast<int>(args.n);
    if (row < m && column < n) end(first + static_cast<int64_t>(row) * n, column, n, v);
  }
};

template <bool Along> ANNEAL_GPU MatrixPlace<Along> placeA(const SgemmArgs& args, const ProductPart& part) {
  return {args.a, static_cast<int64_t>(part.matrix * args.strideA), args.pitchA, static_cast<int>(args.m)};
}
template <bool Along> ANNEAL_GPU MatrixPlace<Along> placeB(const SgemmArgs& args, const ProductPart& part) {
  return {args.b, static_cast<int64_t>(part.matrix * args.strideB), args.pitchB, static_cast<int>(args.n)};
}

}  // namespace anneal::cuda
