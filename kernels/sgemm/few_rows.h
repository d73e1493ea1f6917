// Products with few rows, where packing B would cost more than the product: every element of B is used only a few times.
//
//   multiplyUnpacked   A packed (it is small), B [K,N] read where it lies
//   dotProducts        B^T [N,K] read where it lies: both operands run along K
//
// Both are bound by the bytes of B. Tasks are runs of columns, cut by shape.
#pragma once

#include "gemm_engine.h"

namespace anneal::ANNEAL_ISA {

// Rows up to which reading B unpacked pays: one tile of rows, or as many as share the loads of a dot product.
inline constexpr int64_t kUnpackedRows = kTileRows, kDotRows = 4;

// Multiply-adds of one task: a few times what waking a thread costs.
inline constexpr int64_t kFewRowsWork = kSerialWork / 4;

// Columns of a task, a multiple of `unit`.
static inline int64_t columnsOfTask(int64_t m, int64_t k, int64_t unit) {
  return ceilDiv(ceilDiv(kFewRowsWork, m * (k < 1 ? 1 : k)), unit) * unit;
}

// Tiles of the given shape over columns [j, end), as far as whole tiles go. Returns the first column that is left.
template <int Rows, int Vectors>
static inline int64_t wideTiles(int64_t depth, const float* a, const float* b, int64_t ldb, int64_t j, int64_t end,
                                TileStore s, float* c, const float* bias) {
  constexpr int64_t kWidth = Vectors * kLanes;
  for (; j + kWidth <= end; j += kWidth) {
    s.c = c + j;
    s.bias = bias == nullptr ? nullptr : bias + j;
    Tile<Rows, Vectors>::run(depth, a, b + j, ldb, s);
  }
  return j;
}

// C = op(A) B for m <= kUnpackedRows. Scratch of each worker: slots 0 (the last columns of B) and 1 (A).
static void multiplyUnpacked(Exec& exec, int64_t m, int64_t n, int64_t k, const MatrixPacker<kTileRows>& packA,
                             const float* b, float* c, const Epilogue& e) {
  if (k == 0) return multiplyNothing(m, n, c, n, e);
  const int64_t depthMost = least(k, kBlockDepth);
  const int rows = static_cast<int>(m);
  parallelRange(exec, n, columnsOfTask(m, k, 8 * kLanes), [&](int64_t begin, int64_t end, int worker) {
    auto* const a = static_cast<float*>(exec.scratch(worker, 1, packedABytes(kTileRows, depthMost)));
    auto* const edge = static_cast<float*>(exec.scratch(worker, 0, static_cast<size_t>(depthMost * kTileColumns) * 4));
    for (int64_t k0 = 0; k0 < k; k0 += kBlockDepth) {
      const int64_t depth = least(kBlockDepth, k - k0);
      const float* const from = b + k0 * n;
      packA(0, rows, k0, depth, a);
      TileStore s{c, n, e.bias, e.activation, k0 > 0 || e.accumulate, k0 + depth == k, kLanes};
      int64_t j = begin;
      // One or two rows need wide tiles: so few sums do not hide the latency of the multiply-adds otherwise.
      if (rows == 1) j = wideTiles<1, 8>(depth, a, from, n, j, end, s, c, e.bias);
      if (rows == 2) j = wideTiles<2, 4>(depth, a, from, n, j, end, s, c, e.bias);
      for (; j < end; j += kTileColumns) {
        const int64_t columns = least(kTileColumns, end - j);
        const int vectors = static_cast<int>(ceilDiv(columns, kLanes));
        s.c = c + j;
        s.bias = e.bias == nullptr ? nullptr : e.bias + j;
        s.lastColumns = static_cast<int>(columns - (vectors - 1) * kLanes);
        if (columns == kTileColumns) {
          tileFor(rows, vectors)(depth, a, from + j, n, s);
        } else {
          packPanels<kTileColumns>(MatrixPacker<kTileColumns>{b, n, true}, j, end, k0, depth, edge);
          tileFor(rows, vectors)(depth, a, edge, kTileColumns, s);
        }
      }
    }
  });
}

struct DotCall {
  const float* x;  // rows of K
  int64_t rows;
  const float* b;  // n rows of K
  int64_t n, k;
  float* c;
  int64_t rowStride, columnStride;  // of C
  const float* bias;
  int64_t biasStride;  // 0: the same for all columns
  bool accumulate;
  Activation activation;
};

// x . b_j for four j, two vectors of each at a time: eight chains of multiply-adds.
static inline void dot4(const float* x, const float* const (&b)[4], int64_t k, float (&result)[4]) {
  vf sums[4][2] = {};
  int64_t at = 0;
  for (; at + 2 * kLanes <= k; at += 2 * kLanes)
    ANNEAL_UNROLL for (int half = 0; half < 2; ++half) {
      const vf value = load(x + at + half * kLanes);
      ANNEAL_UNROLL for (int j = 0; j < 4; ++j) sums[j][half] += value * load(b[j] + at + half * kLanes);
    }
  for (; at < k; at += kLanes) {
    const int lanes = static_cast<int>(least(kLanes, k - at));
    const vf value = loadPartial(x + at, lanes);
    ANNEAL_UNROLL for (int j = 0; j < 4; ++j) sums[j][0] += value * loadPartial(b[j] + at, lanes);
  }
  ANNEAL_UNROLL for (int j = 0; j < 4; ++j) result[j] = sum(sums[j][0] + sums[j][1]);
}

// C[i][j] = x_i . b_j
static void dotProducts(Exec& exec, const DotCall& d) {
  parallelRange(exec, d.n, columnsOfTask(d.rows, d.k, 4), [&](int64_t begin, int64_t end, int) {
    for (int64_t j = begin; j < end; j += 4) {
      const int64_t columns = least(4, end - j);
      const float* b[4];
      for (int64_t t = 0; t < 4; ++t) b[t] = d.b + (j + least(t, columns - 1)) * d.k;
      for (int64_t i = 0; i < d.rows; ++i) {
        float result[4];
        dot4(d.x + i * d.k, b, d.k, result);
        for (int64_t t = 0; t < columns; ++t) {
          float* const c = d.c + i * d.rowStride + (j + t) * d.columnStride;
          float value = result[t];
          if (d.accumulate) value += *c;
          if (d.bias != nullptr) value += d.bias[(j + t) * d.biasStride];
          *c = activate(splat(value), d.activation)[0];
        }
      }
    }
  });
}

}  // namespace anneal::ANNEAL_ISA
