// The packed matrix product that sgemm and the convolutions share.
//
//   C[i, j] = epilogue(sum over k of A(i, k) B(k, j))
//
// Loops, from the outside: blocks of columns (L3), blocks of depth, [pack a block of B], blocks of rows (tasks), [pack a
// block of A into L2], panels of B (L1), register tiles. How A and B are laid out is the packer's business: convolution
// gathers its windows while packing, so no im2col matrix ever exists.
//
// A packer says whether its source runs along a row of panels (byRuns). Called as pack(first, count, k0, depth, to), it writes
// a part of a panel: `count` rows of A (columns of B) from `first` on, at depths [k0, k0 + depth), as to[k * width + i], width being kTileRows (kTileColumns); what lies beyond
// `count` is never stored into C and may be anything.
//
// Each C element is summed over k in order, whatever tile or task it falls into: threads never change a bit.
#pragma once

#include <utility>

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

// What relu does in registers, the other activations do to the tile once it is stored and in L1: unrolled over the
// tile they would be most of the code.
static __attribute__((noinline)) void activateTile(float* c, int64_t ldc, int rows, int64_t columns, Activation activation) {
  for (int i = 0; i < rows; ++i, c += ldc)
    for (int64_t j = 0; j < columns; j += kLanes) {
      const int count = columns - j < kLanes ? static_cast<int>(columns - j) : kLanes;
      storePartial(c + j, activate(loadPartial(c + j, count), activation), count);
    }
}

// Stores the sums of a tile. Whole: the last vector is.
template <int Rows, int Vectors, bool Whole>
static inline __attribute__((always_inline)) void finishColumns(vf (&sums)[Rows][Vectors], const TileStore& given) {
  const TileStore s = given;  // a copy that stores to C cannot alias
  const auto get = [&](const float* p, int v) {
    return Whole || v < Vectors - 1 ? load(p + v * kLanes) : loadPartial(p + v * kLanes, s.lastColumns);
  };
  if (s.load)
    ANNEAL_UNROLL for (int i = 0; i < Rows; ++i)
      ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) sums[i][v] += get(s.c + i * s.ldc, v);
  if (s.last && s.bias != nullptr)
    ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) {
      const vf bias = get(s.bias, v);
      ANNEAL_UNROLL for (int i = 0; i < Rows; ++i) sums[i][v] += bias;
    }
  if (s.last && s.activation == Activation::relu)
    ANNEAL_UNROLL for (int i = 0; i < Rows; ++i)
      ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) sums[i][v] = relu(sums[i][v]);
  ANNEAL_UNROLL for (int i = 0; i < Rows; ++i)
    ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) {
      float* const c = s.c + i * s.ldc + v * kLanes;
      if (Whole || v < Vectors - 1) store(c, sums[i][v]);
      else storePartial(c, sums[i][v], s.lastColumns);
    }
  if (s.last && s.activation > Activation::relu)
    activateTile(s.c, s.ldc, Rows, (Vectors - 1) * kLanes + s.lastColumns, s.activation);
}

template <int Rows, int Vectors>
static inline __attribute__((always_inline)) void finishTile(vf (&sums)[Rows][Vectors], const TileStore& s) {
  if (s.lastColumns == kLanes) finishColumns<Rows, Vectors, true>(sums, s);
  else finishColumns<Rows, Vectors, false>(sums, s);
}

template <int Rows, int Vectors> struct Tile {
  // a: [depth][kTileRows], b: [depth][ldb]
  static void run(int64_t depth, const float* a, const float* b, int64_t ldb, const TileStore& s) {
    // C is far away by the time a block of depth comes round again: ask for it before the sums.
    ANNEAL_UNROLL for (int i = 0; i < Rows; ++i)
      ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) __builtin_prefetch(s.c + i * s.ldc + v * kLanes, 1);
    vf sums[Rows][Vectors] = {};
    for (int64_t k = 0; k < depth; ++k) {
      vf row[Vectors];
      ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) row[v] = load(b + v * kLanes);
      ANNEAL_UNROLL for (int i = 0; i < Rows; ++i) {
        const vf value = splat(a[i]);
        ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) sums[i][v] += value * row[v];
      }
      a += kTileRows;
      b += ldb;
    }
    finishTile<Rows, Vectors>(sums, s);
  }
};

using TileFn = void (*)(int64_t depth, const float* a, const float* b, int64_t ldb, const TileStore& s);

// Body<rows, vectors>::run, for rows in [1, kTileRows] and vectors in [1, kTileVectors].
template <template <int, int> class Body, class Fn, int Vectors, int... Row>
static inline Fn tileOfRows(int rows, std::integer_sequence<int, Row...>) {
  static constexpr Fn table[] = {Body<Row + 1, Vectors>::run...};
  return table[rows - 1];
}
template <template <int, int> class Body, class Fn> static inline Fn tileOf(int rows, int vectors) {
  constexpr std::make_integer_sequence<int, kTileRows> all{};
  if (vectors == 1) return tileOfRows<Body, Fn, 1>(rows, all);
  if (vectors == 2) return tileOfRows<Body, Fn, 2>(rows, all);
  return tileOfRows<Body, Fn, kTileVectors>(rows, all);
}

static inline TileFn tileFor(int rows, int vectors) { return tileOf<Tile, TileFn>(rows, vectors); }

static inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

// ---- Packing ----

typedef float v4 __attribute__((vector_size(16)));
typedef float v4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

static inline v4 load4(const float* p) { return *reinterpret_cast<const v4_unaligned*>(p); }

// Four floats of each of kLanes / 4 rows, one after the other: rows 0, 4, 8, ... of `rows`.
static inline vf gather4(const float* const* rows, int64_t k) {
#if defined(__AVX512F__)
  const auto pair = [&](int i) { return __builtin_shufflevector(load4(rows[i] + k), load4(rows[i + 4] + k), 0, 1, 2, 3, 4, 5, 6, 7); };
  return __builtin_shufflevector(pair(0), pair(8), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif defined(__AVX__)
  return __builtin_shufflevector(load4(rows[0] + k), load4(rows[4] + k), 0, 1, 2, 3, 4, 5, 6, 7);
#else
  return load4(rows[0] + k);
#endif
}

// Transposes each quarter of four vectors, four by four.
static inline void transpose4(vf (&x)[4]) {
#if defined(__AVX512F__)
#define ANNEAL_QUARTERS(a, b, c, d) a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, d + 8, a + 12, b + 12, c + 12, d + 12
#elif defined(__AVX__)
#define ANNEAL_QUARTERS(a, b, c, d) a, b, c, d, a + 4, b + 4, c + 4, d + 4
#else
#define ANNEAL_QUARTERS(a, b, c, d) a, b, c, d
#endif
  constexpr int n = kLanes;  // the first lane of the second operand
  const vf ab0 = __builtin_shufflevector(x[0], x[1], ANNEAL_QUARTERS(0, n, 1, n + 1));
  const vf ab1 = __builtin_shufflevector(x[0], x[1], ANNEAL_QUARTERS(2, n + 2, 3, n + 3));
  const vf cd0 = __builtin_shufflevector(x[2], x[3], ANNEAL_QUARTERS(0, n, 1, n + 1));
  const vf cd1 = __builtin_shufflevector(x[2], x[3], ANNEAL_QUARTERS(2, n + 2, 3, n + 3));
  x[0] = __builtin_shufflevector(ab0, cd0, ANNEAL_QUARTERS(0, 1, n, n + 1));
  x[1] = __builtin_shufflevector(ab0, cd0, ANNEAL_QUARTERS(2, 3, n + 2, n + 3));
  x[2] = __builtin_shufflevector(ab1, cd1, ANNEAL_QUARTERS(0, 1, n, n + 1));
  x[3] = __builtin_shufflevector(ab1, cd1, ANNEAL_QUARTERS(2, 3, n + 2, n + 3));
#undef ANNEAL_QUARTERS
}

// Stores lanes [at, at + kLanes) of a panel's row of Width. A row narrower than a vector is stored whole all the same:
// what is too much is overwritten by the next row (and beyond the last row of a panel lies slack).
template <int Width> static inline void storeRow(float* to, int at, vf x) {
  if (Width < kLanes || at + kLanes <= Width) store(to + at, x);
  else storePartial(to + at, x, Width - at);
}

template <int Width> static inline void copyRun(const float* from, float* to) {
#if defined(__AVX512F__)
  ANNEAL_UNROLL for (int at = 0; at < Width; at += kLanes)
    storeRow<Width>(to, at, at + kLanes <= Width ? load(from + at) : loadPartial(from + at, Width - at));
#else
  std::memcpy(to, from, Width * sizeof(float));
#endif
}

// to[k * Width + i] = rows[i][k] for k < depth: a transpose in registers, a vector of rows by four of depth at a time.
template <int Width> static inline void packRows(const float* const (&rows)[Width], int64_t depth, float* to) {
  constexpr int kChunks = (Width + kLanes - 1) / kLanes;
  const float* all[kChunks * kLanes];
  for (int i = 0; i < kChunks * kLanes; ++i) all[i] = rows[i < Width ? i : 0];
  int64_t k = 0;
  for (; k + 4 <= depth; k += 4, to += 4 * Width)
    ANNEAL_UNROLL for (int c = 0; c < kChunks; ++c) {
      vf x[4];
      ANNEAL_UNROLL for (int q = 0; q < 4; ++q) x[q] = gather4(all + c * kLanes + q, k);
      transpose4(x);
      ANNEAL_UNROLL for (int q = 0; q < 4; ++q) storeRow<Width>(to + q * Width, c * kLanes, x[q]);
    }
  for (; k < depth; ++k, to += Width)
    for (int i = 0; i < Width; ++i) to[i] = all[i][k];
}

// to[k * Width + i] = from[k * stride + i] for i < count: depth runs of `count` floats, nothing beyond them is read.
template <int Width> static inline void packRuns(const float* from, int64_t stride, int count, int64_t depth, float* to) {
  if (count == Width) {
    for (int64_t k = 0; k < depth; ++k, from += stride, to += Width) copyRun<Width>(from, to);
    return;
  }
  for (int64_t k = 0; k < depth; ++k, from += stride, to += Width)
    for (int at = 0; at < Width && at < count; at += kLanes)
      storeRow<Width>(to, at, loadPartial(from + at, count - at < kLanes ? count - at : kLanes));
}

// A matrix in memory, element (i, k) at data[i * ld + k], or data[k * ld + i] when transposed.
template <int Width> struct MatrixPacker {
  const float* data;
  int64_t ld;
  bool transposed;

  bool byRuns() const { return transposed; }
  void operator()(int64_t first, int count, int64_t k0, int64_t depth, float* to) const {
    if (transposed) {
      packRuns<Width>(data + k0 * ld + first, ld, count, depth, to);
      return;
    }
    const float* rows[Width];
    for (int i = 0; i < Width; ++i) rows[i] = data + (first + (i < count ? i : 0)) * ld + k0;
    packRows<Width>(rows, depth, to);
  }
};

// ---- The loops ----

static inline int64_t packedColumns(int64_t n) { return ceilDiv(n, kTileColumns) * kTileColumns; }

// Depth is cut into equal blocks: a last block of a few would read and write all of C for little.
static inline int64_t blockDepth(int64_t k) { return ceilDiv(k, ceilDiv(k, kBlockDepth)); }

// Floats of a packed panel of Width rows or columns. Packers of A may write up to a vector behind a panel's last row
// (storeRow, pieces of windows), where the first row of the next panel, already written, must not be.
template <int Width> static inline int64_t panelFloats(int64_t depth) {
  return depth * Width + (Width == kTileColumns ? 0 : kLanes);
}
static_assert(kTileRows != kTileColumns, "the width tells panels of A from panels of B");
static inline size_t packedABytes(int64_t rows, int64_t depth) {
  return static_cast<size_t>(ceilDiv(rows, kTileRows) * panelFloats<kTileRows>(depth)) * sizeof(float);
}

// Packs [first, end) panel after panel. Where the source runs along a row of panels, a few steps of depth of all panels come
// before the next, so that memory is read in order.
template <int Width, class Pack>
static inline void packPanels(const Pack& pack, int64_t first, int64_t end, int64_t k0, int64_t depth, float* to) {
  const int64_t steps = pack.byRuns() ? least(kPackingSteps, depth) : depth;
  for (int64_t k = 0; k < depth; k += steps) {
    float* panel = to + k * Width;
    for (int64_t i = first; i < end; i += Width, panel += panelFloats<Width>(depth))
      pack(i, static_cast<int>(least(Width, end - i)), k0 + k, least(steps, depth - k), panel);
  }
}

// Rows [i0, i1) and panels of columns [j0, j1) of a block, with A packed here into `a` and B already packed.
template <class PackA>
static inline void multiplyBlock(const PackA& packA, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t k0,
                                 int64_t depth, const float* packedB, float* a, float* c, int64_t ldc, bool first,
                                 bool last, const Epilogue& e) {
  packPanels<kTileRows>(packA, i0, i1, k0, depth, a);
  for (int64_t j = j0; j < j1; j += kTileColumns) {
    const int64_t columns = least(kTileColumns, j1 - j);
    const int vectors = static_cast<int>(ceilDiv(columns, kLanes));
    const float* const b = packedB + (j - j0) * depth;
    const float* panel = a;
    for (int64_t i = i0; i < i1; i += kTileRows, panel += panelFloats<kTileRows>(depth)) {
      const int rows = static_cast<int>(least(kTileRows, i1 - i));
      const TileStore s{c + i * ldc + j, ldc,  e.bias == nullptr ? nullptr : e.bias + j, e.activation,
                        !first || e.accumulate, last, static_cast<int>(columns - (vectors - 1) * kLanes)};
      tileFor(rows, vectors)(depth, panel, b, kTileColumns, s);
    }
  }
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

// Rows [i0, i1) and columns [j0, j1) of C = A B on one worker, which packs what it needs. Scratch: slots 0 (B) and 1 (A)
// of that worker.
template <class PackA, class PackB>
static void gemmPart(Exec& exec, int worker, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t k,
                     const PackA& packA, const PackB& packB, float* c, int64_t ldc, const Epilogue& e) {
  const int64_t depthMost = blockDepth(k), columnsMost = least(packedColumns(j1 - j0), kBlockColumns);
  auto* const b = static_cast<float*>(exec.scratch(worker, 0, static_cast<size_t>(depthMost * columnsMost) * 4));
  auto* const a = static_cast<float*>(exec.scratch(worker, 1, packedABytes(least(i1 - i0, kBlockRows), depthMost)));
  for (int64_t jb = j0; jb < j1; jb += kBlockColumns) {
    const int64_t je = least(j1, jb + kBlockColumns);
    for (int64_t k0 = 0; k0 < k; k0 += depthMost) {
      const int64_t depth = least(depthMost, k - k0);
      packPanels<kTileColumns>(packB, jb, je, k0, depth, b);
      for (int64_t i = i0; i < i1; i += kBlockRows)
        multiplyBlock(packA, i, least(i1, i + kBlockRows), jb, je, k0, depth, b, a, c, ldc, k0 == 0, k0 + depth == k, e);
    }
  }
}

// C = A B on the calling worker alone.
template <class PackA, class PackB>
static void gemmSerial(Exec& exec, int worker, int64_t m, int64_t n, int64_t k, const PackA& packA, const PackB& packB,
                       float* c, int64_t ldc, const Epilogue& e) {
  if (k == 0) return multiplyNothing(m, n, c, ldc, e);
  gemmPart(exec, worker, 0, m, 0, n, k, packA, packB, c, ldc, e);
}

// A grid of parts of C, each a task of whole tiles; parts differ by one tile at the most.
struct Grid2 {
  int64_t rowTiles, columnTiles;  // of C
  int64_t rows, columns;          // parts

  int64_t rowBegin(int64_t part) const { return rowTiles * part / rows * kTileRows; }
  int64_t columnBegin(int64_t part) const { return columnTiles * part / columns * kTileColumns; }
};

// The grid of at most `parts` parts in which the largest part costs the least, when each part packs its own A and B.
static inline Grid2 gridOf(int64_t m, int64_t n, int64_t parts) {
  Grid2 best{ceilDiv(m, kTileRows), ceilDiv(n, kTileColumns), 1, 1};
  int64_t least = INT64_MAX;
  for (int64_t rows = 1; rows <= parts && rows <= best.rowTiles; ++rows) {
    const int64_t columns = anneal::ANNEAL_ISA::least(parts / rows, best.columnTiles);
    const int64_t height = ceilDiv(best.rowTiles, rows) * kTileRows, width = ceilDiv(best.columnTiles, columns) * kTileColumns;
    const int64_t cost = height * width + kPackingCost * (height + width);  // over K
    if (cost >= least) continue;
    least = cost;
    best.rows = rows;
    best.columns = columns;
  }
  return best;
}

// The grid of tasks for threads that share a packed block of B. Rows alone are cut while each thread has many tiles of them,
// into a multiple of the threads, so that all end together; columns too where it has few.
static inline Grid2 sharedGrid(int64_t m, int64_t n, int64_t threads) {
  const int64_t tiles = ceilDiv(m, kTileRows);
  if (tiles < 8 * threads) return gridOf(m, n, 2 * threads);
  return {tiles, ceilDiv(n, kTileColumns), least(tiles, ceilDiv(ceilDiv(tiles, kTaskTiles), threads) * threads), 1};
}

// C = A B on the thread pool. Where C is cut does not change its values, so the cut may follow the number of threads.
template <class PackA, class PackB>
static void gemm(Exec& exec, int64_t m, int64_t n, int64_t k, const PackA& packA, const PackB& packB, float* c,
                 int64_t ldc, const Epilogue& e) {
  if (m == 0 || n == 0) return;
  const int64_t work = m * n * k, threads = exec.threads();
  if (work < 2 * kSerialWork || threads == 1) {
    gemmSerial(exec, Exec::kShared, m, n, k, packA, packB, c, ldc, e);
    return;
  }
  if (work < kForkWork * threads) {
    // One fork: packing something twice is cheaper than meeting after each block of B.
    const Grid2 grid = gridOf(m, n, least(threads, work / kSerialWork));
    parallel(exec, grid.rows * grid.columns, [&](int64_t task, int worker) {
      const int64_t row = task % grid.rows, column = task / grid.rows;
      gemmPart(exec, worker, grid.rowBegin(row), least(m, grid.rowBegin(row + 1)), grid.columnBegin(column),
               least(n, grid.columnBegin(column + 1)), k, packA, packB, c, ldc, e);
    });
    return;
  }
  // Threads share each block of B. Scratch: slot 0 of the shared worker (B), slot 1 of each (A).
  const int64_t depthMost = blockDepth(k), columnsMost = least(packedColumns(n), kBlockColumns);
  auto* const b = static_cast<float*>(exec.scratch(Exec::kShared, 0, static_cast<size_t>(depthMost * columnsMost) * 4));
  for (int64_t j0 = 0; j0 < n; j0 += kBlockColumns) {
    const int64_t j1 = least(n, j0 + kBlockColumns);
    const Grid2 grid = sharedGrid(m, j1 - j0, threads);
    const size_t aBytes = packedABytes(ceilDiv(grid.rowTiles, grid.rows) * kTileRows, depthMost);
    for (int64_t k0 = 0; k0 < k; k0 += depthMost) {
      const int64_t depth = least(depthMost, k - k0);
      const int64_t panelsEach = ceilDiv(grid.columnTiles, 2 * threads);
      parallelRange(exec, grid.columnTiles, panelsEach, [&](int64_t begin, int64_t end, int) {
        packPanels<kTileColumns>(packB, j0 + begin * kTileColumns, least(j1, j0 + end * kTileColumns), k0, depth,
                                 b + begin * kTileColumns * depth);
      });
      parallel(exec, grid.rows * grid.columns, [&](int64_t task, int worker) {
        const int64_t row = task % grid.rows, column = task / grid.rows;
        auto* const a = static_cast<float*>(exec.scratch(worker, 1, aBytes));
        multiplyBlock(packA, grid.rowBegin(row), least(m, grid.rowBegin(row + 1)), j0 + grid.columnBegin(column),
                      least(j1, j0 + grid.columnBegin(column + 1)), k0, depth, b + grid.columnBegin(column) * depth, a, c,
                      ldc, k0 == 0, k0 + depth == k, e);
      });
    }
  }
}

}  // namespace anneal::ANNEAL_ISA
