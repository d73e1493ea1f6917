// The packed matrix product that sgemm and the convolutions share.
//
//   C[i, j] = epilogue(sum over k of A(i, k) B(k, j))
//
// Loops, from the outside: blocks of columns (L3), blocks of depth, [pack a block of B], blocks of rows (tasks), [pack a
// block of A into L2], panels of B (L1), register tiles. How A and B are laid out is the packer's business: convolution
// gathers its windows while packing, so no im2col matrix ever exists.
//
// A packer is called as pack(first, count, k0, depth, to) and writes a panel: `count` rows of A (columns of B) from
// `first` on, at depths [k0, k0 + depth), as to[k * width + i], width being kTileRows (kTileColumns); what lies beyond
// `count` need not be written for A, and must be finite zeros for B only where it is stored, which it never is.
//
// Each C element is summed over k in order, whatever tile or task it falls into: threads never change a bit.
#pragma once

#include "../common/activation.h"
#include "../common/math.h"
#include "../common/parallel.h"
#include "sgemm.tuning.h"

namespace anneal::ANNEAL_ISA {

struct Epilogue {
  const float* bias = nullptr;  // one for each column
  Activation activation = Activation::none;
  bool accumulate = false;  // add to what C holds
};

// What one register tile does with its sums.
struct TileStore {
  float* c;
  int64_t ldc;
  const float* bias;
  Activation activation;
  bool load;       // add to C
  bool last;       // the last block of depth: bias and activation apply
  int lastColumns; // columns of the last vector, kLanes when whole
};

template <int Rows, int Vectors> struct Tile {
  // a: [depth][kTileRows], b: [depth][ldb]
  static void run(int64_t depth, const float* a, const float* b, int64_t ldb, const TileStore& s) {
    vf sums[Rows][Vectors] = {};
    for (int64_t k = 0; k < depth; ++k) {
      vf row[Vectors];
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) row[v] = load(b + v * kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const vf value = splat(a[i]);
#pragma GCC unroll 8
        for (int v = 0; v < Vectors; ++v) sums[i][v] += value * row[v];
      }
      a += kTileRows;
      b += ldb;
    }
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; ++v) {
      const int columns = v == Vectors - 1 ? s.lastColumns : kLanes;
      const bool whole = columns == kLanes;
      vf bias{};
      if (s.last && s.bias != nullptr)
        bias = whole ? load(s.bias + v * kLanes) : loadPartial(s.bias + v * kLanes, columns);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        float* const c = s.c + i * s.ldc + v * kLanes;
        vf x = sums[i][v];
        if (s.load) x += whole ? load(c) : loadPartial(c, columns);
        if (s.last) x = activate(x + bias, s.activation);
        if (whole) store(c, x);
        else storePartial(c, x, columns);
      }
    }
  }
};

using TileFn = void (*)(int64_t depth, const float* a, const float* b, int64_t ldb, const TileStore& s);

template <int Vectors, int... Row> struct TileRow {
  static constexpr TileFn table[] = {Tile<Row + 1, Vectors>::run...};
};
template <int Vectors, int Count, int... Row> struct MakeTileRow : MakeTileRow<Vectors, Count - 1, Count - 1, Row...> {};
template <int Vectors, int... Row> struct MakeTileRow<Vectors, 0, Row...> : TileRow<Vectors, Row...> {};

static inline TileFn tileFor(int rows, int vectors) {
  switch (vectors) {
    case 1: return MakeTileRow<1, kTileRows>::table[rows - 1];
    case 2: return MakeTileRow<2, kTileRows>::table[rows - 1];
    default: return MakeTileRow<kTileVectors, kTileRows>::table[rows - 1];
  }
}

static inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// ---- Packing ----

typedef float v4 __attribute__((vector_size(16)));
typedef float v4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

// to[k * width + i] = rows[i][k] for i < count, k < depth: a transpose, four by four in registers.
static inline void packRows(const float* const* rows, int count, int64_t depth, int64_t width, float* to) {
  int i = 0;
  for (; i + 4 <= count; i += 4) {
    const float *r0 = rows[i], *r1 = rows[i + 1], *r2 = rows[i + 2], *r3 = rows[i + 3];
    float* out = to + i;
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4, out += 4 * width) {
      const v4 a = *reinterpret_cast<const v4_unaligned*>(r0 + k), b = *reinterpret_cast<const v4_unaligned*>(r1 + k);
      const v4 c = *reinterpret_cast<const v4_unaligned*>(r2 + k), d = *reinterpret_cast<const v4_unaligned*>(r3 + k);
      const v4 ac0 = __builtin_shufflevector(a, c, 0, 4, 1, 5), ac1 = __builtin_shufflevector(a, c, 2, 6, 3, 7);
      const v4 bd0 = __builtin_shufflevector(b, d, 0, 4, 1, 5), bd1 = __builtin_shufflevector(b, d, 2, 6, 3, 7);
      *reinterpret_cast<v4_unaligned*>(out) = __builtin_shufflevector(ac0, bd0, 0, 4, 1, 5);
      *reinterpret_cast<v4_unaligned*>(out + width) = __builtin_shufflevector(ac0, bd0, 2, 6, 3, 7);
      *reinterpret_cast<v4_unaligned*>(out + 2 * width) = __builtin_shufflevector(ac1, bd1, 0, 4, 1, 5);
      *reinterpret_cast<v4_unaligned*>(out + 3 * width) = __builtin_shufflevector(ac1, bd1, 2, 6, 3, 7);
    }
    for (; k < depth; ++k, out += width) {
      out[0] = r0[k];
      out[1] = r1[k];
      out[2] = r2[k];
      out[3] = r3[k];
    }
  }
  for (; i < count; ++i)
    for (int64_t k = 0; k < depth; ++k) to[k * width + i] = rows[i][k];
}

// to[k * width + i] = from[k * stride + i] for i < count: depth runs of `count` floats.
template <int Width> static inline void packRuns(const float* from, int64_t stride, int count, int64_t depth, float* to) {
  if (count == Width) {
    for (int64_t k = 0; k < depth; ++k) std::memcpy(to + k * Width, from + k * stride, Width * sizeof(float));
  } else {
    for (int64_t k = 0; k < depth; ++k)
      for (int i = 0; i < count; ++i) to[k * Width + i] = from[k * stride + i];
  }
}

// A matrix in memory, element (i, k) at data[i * ld + k], or data[k * ld + i] when transposed.
template <int Width> struct MatrixPacker {
  const float* data;
  int64_t ld;
  bool transposed;

  void operator()(int64_t first, int count, int64_t k0, int64_t depth, float* to) const {
    if (transposed) {
      packRuns<Width>(data + k0 * ld + first, ld, count, depth, to);
      return;
    }
    const float* rows[Width];
    for (int i = 0; i < count; ++i) rows[i] = data + (first + i) * ld + k0;
    packRows(rows, count, depth, Width, to);
  }
};

// ---- The loops ----

// Rows [i0, i1) and panels of columns [j0, j1) of a block, with A packed here into `a` and B already packed.
template <class PackA>
static inline void multiplyBlock(const PackA& packA, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t k0,
                                 int64_t depth, const float* packedB, float* a, float* c, int64_t ldc, bool first,
                                 bool last, const Epilogue& e) {
  for (int64_t i = i0; i < i1; i += kTileRows)
    packA(i, static_cast<int>(least(kTileRows, i1 - i)), k0, depth, a + (i - i0) * depth);
  for (int64_t j = j0; j < j1; j += kTileColumns) {
    const int64_t columns = least(kTileColumns, j1 - j);
    const int vectors = static_cast<int>(ceilDiv(columns, kLanes));
    const float* const b = packedB + (j - j0) * depth;
    for (int64_t i = i0; i < i1; i += kTileRows) {
      const int rows = static_cast<int>(least(kTileRows, i1 - i));
      const TileStore s{c + i * ldc + j, ldc,  e.bias == nullptr ? nullptr : e.bias + j, e.activation,
                        !first || e.accumulate, last, static_cast<int>(columns - (vectors - 1) * kLanes)};
      tileFor(rows, vectors)(depth, a + (i - i0) * depth, b, kTileColumns, s);
    }
  }
}

static inline int64_t packedColumns(int64_t n) { return ceilDiv(n, kTileColumns) * kTileColumns; }
static inline int64_t packedRows(int64_t m) { return ceilDiv(m, kTileRows) * kTileRows; }

template <class PackB>
static inline void packPanel(const PackB& packB, int64_t j, int64_t j1, int64_t k0, int64_t depth, float* to) {
  const int count = static_cast<int>(least(kTileColumns, j1 - j));
  if (count < kTileColumns) std::memset(to, 0, static_cast<size_t>(depth * kTileColumns) * sizeof(float));
  packB(j, count, k0, depth, to);
}

// K = 0: no sums, but bias, activation and the clearing of C remain.
static inline void multiplyNothing(int64_t m, int64_t n, float* c, int64_t ldc, const Epilogue& e) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; j += kLanes) {
      const int count = static_cast<int>(least(kLanes, n - j));
      float* const to = c + i * ldc + j;
      vf x = e.accumulate ? loadPartial(to, count) : vf{};
      if (e.bias != nullptr) x += loadPartial(e.bias + j, count);
      storePartial(to, activate(x, e.activation), count);
    }
}

// C = A B on the calling worker alone. Scratch: slots 0 (B) and 1 (A) of that worker.
template <class PackA, class PackB>
static void gemmSerial(Exec& exec, int worker, int64_t m, int64_t n, int64_t k, const PackA& packA, const PackB& packB,
                       float* c, int64_t ldc, const Epilogue& e) {
  if (k == 0) return multiplyNothing(m, n, c, ldc, e);
  const int64_t depthMost = least(k, kBlockDepth), columnsMost = least(packedColumns(n), kBlockColumns);
  auto* const b = static_cast<float*>(exec.scratch(worker, 0, static_cast<size_t>(depthMost * columnsMost) * 4));
  auto* const a = static_cast<float*>(
      exec.scratch(worker, 1, static_cast<size_t>(depthMost * least(packedRows(m), kBlockRows) + kTileColumns) * 4));
  for (int64_t j0 = 0; j0 < n; j0 += kBlockColumns) {
    const int64_t j1 = least(n, j0 + kBlockColumns);
    for (int64_t k0 = 0; k0 < k; k0 += kBlockDepth) {
      const int64_t depth = least(kBlockDepth, k - k0);
      for (int64_t j = j0; j < j1; j += kTileColumns) packPanel(packB, j, j1, k0, depth, b + (j - j0) * depth);
      for (int64_t i0 = 0; i0 < m; i0 += kBlockRows)
        multiplyBlock(packA, i0, least(m, i0 + kBlockRows), j0, j1, k0, depth, b, a, c, ldc, k0 == 0, k0 + depth == k, e);
    }
  }
}

// C = A B on the thread pool. Scratch: slot 0 of the shared worker (B), slot 1 of each (A).
template <class PackA, class PackB>
static void gemm(Exec& exec, int64_t m, int64_t n, int64_t k, const PackA& packA, const PackB& packB, float* c,
                 int64_t ldc, const Epilogue& e) {
  if (m == 0 || n == 0) return;
  if (m * n * k < kSerialWork || exec.threads() == 1) {
    gemmSerial(exec, Exec::kShared, m, n, k, packA, packB, c, ldc, e);
    return;
  }
  const int64_t depthMost = least(k, kBlockDepth), columnsMost = least(packedColumns(n), kBlockColumns);
  auto* const b = static_cast<float*>(exec.scratch(Exec::kShared, 0, static_cast<size_t>(depthMost * columnsMost) * 4));
  // Tasks: enough for every thread to have a few, by cutting rows first and columns when rows run out. Where C is cut
  // does not change its values.
  const int64_t wanted = 4 * exec.threads();
  const int64_t rowsEach = least(kBlockRows, packedRows(ceilDiv(m, wanted)));
  const int64_t rowTasks = ceilDiv(m, rowsEach);
  const size_t aBytes = static_cast<size_t>(depthMost * rowsEach + kTileColumns) * 4;
  for (int64_t j0 = 0; j0 < n; j0 += kBlockColumns) {
    const int64_t j1 = least(n, j0 + kBlockColumns);
    const int64_t columnTasks = rowTasks >= wanted ? 1 : least(ceilDiv(wanted, rowTasks), ceilDiv(j1 - j0, kTileColumns));
    const int64_t columnsEach = packedColumns(ceilDiv(j1 - j0, columnTasks));
    for (int64_t k0 = 0; k0 < k; k0 += kBlockDepth) {
      const int64_t depth = least(kBlockDepth, k - k0);
      const int64_t panels = ceilDiv(j1 - j0, kTileColumns);
      const int64_t panelsEach = depth * kTileColumns * panels < 16384 ? panels : ceilDiv(panels, wanted);
      parallel(exec, ceilDiv(panels, panelsEach), [&](int64_t task, int) {
        for (int64_t p = task * panelsEach; p < least(panels, (task + 1) * panelsEach); ++p)
          packPanel(packB, j0 + p * kTileColumns, j1, k0, depth, b + p * kTileColumns * depth);
      });
      parallel(exec, rowTasks * columnTasks, [&](int64_t task, int worker) {
        const int64_t i0 = task % rowTasks * rowsEach, jt = j0 + task / rowTasks * columnsEach;
        if (jt >= j1) return;
        auto* const a = static_cast<float*>(exec.scratch(worker, 1, aBytes));
        multiplyBlock(packA, i0, least(m, i0 + rowsEach), jt, least(j1, jt + columnsEach), k0, depth,
                      b + (jt - j0) * depth, a, c, ldc, k0 == 0, k0 + depth == k, e);
      });
    }
  }
}

}  // namespace anneal::ANNEAL_ISA
