// A product that reads A where it lies: windows of an image, or the rows of a matrix.
//
// A register tile takes kTileRows neighbouring positions of one row of a grid: their windows start a constant step apart,
// so the tile needs one pointer and the step, and no element of A is copied. What the packed product gains by packing A (one
// stream, in order) the caches give here: neighbouring windows overlap, and a tile's windows take a few KB of L1. B is
// packed, whole, into panels of kTileColumns.
//
// Each element of the result is summed over the window in order, some whole segments at a time.
#pragma once

#include "gemm_engine.h"

namespace anneal::ANNEAL_ISA {

// A grid of positions in the image: (n, a, b) with a < rows, b < columns.
struct Grid {
  int64_t rows, columns;
  int64_t imageStep, rowStep, columnStep;  // elements

  int64_t offset(int64_t i) const {
    const int64_t b = i % columns, a = i / columns % rows, n = i / columns / rows;
    return n * imageStep + a * rowStep + b * columnStep;
  }
  // Positions that follow each other a constant step apart: of a row, or of an image whose rows have no gap between them.
  int64_t neighbours() const { return rowStep == columns * columnStep ? rows * columns : columns; }
};

struct Segments {
  const int64_t* offsets;
  int64_t length;
};

template <int Rows, int Vectors> struct WindowTile {
  // Row i of A: segment s of `count` starts at a + i * step + segments.offsets[s].
  static void run(const float* a, int64_t step, const Segments& segments, int64_t count, const float* b,
                  const TileStore& s) {
    constexpr int kGroups = (Rows + 2) / 3;  // three rows to a pointer: x86 addresses have room for 0, 1 and 2 steps
    vf sums[Rows][Vectors] = {};
    const int64_t length = segments.length;
    for (int64_t segment = 0; segment < count; ++segment) {
      const float* at[kGroups];
      ANNEAL_UNROLL for (int g = 0; g < kGroups; ++g) at[g] = a + segments.offsets[segment] + 3 * g * step;
      for (int64_t k = 0; k < length; ++k) {
        vf row[Vectors];
        ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) row[v] = load(b + v * kLanes);
        ANNEAL_UNROLL for (int i = 0; i < Rows; ++i) {
          const vf value = splat(at[i / 3][i % 3 * step]);
          ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) sums[i][v] += value * row[v];
        }
        ANNEAL_UNROLL for (int g = 0; g < kGroups; ++g) ++at[g];
        b += kTileColumns;
      }
    }
    finishTile<Rows, Vectors>(sums, s);
  }
};

using WindowTileFn = void (*)(const float* a, int64_t step, const Segments& segments, int64_t count, const float* b,
                              const TileStore& s);

static inline WindowTileFn windowTileFor(int rows, int vectors) {
  return tileOf<WindowTile, WindowTileFn>(rows, vectors);
}

// The result's places: position (n, a, b) of the grid at c + n * imageStep + a * rowStep + b * columnStep.
struct Places {
  float* c;
  int64_t imageStep, rowStep, columnStep;
};

// The panel of B that a block of depth needs: half of an L2 of 512 KB.
inline constexpr int64_t kWindowPanelFloats = 65536;

// Whether to read A in place. Windows that overlap: unless n is so large that packing costs next to nothing, tiles would be
// mostly edges, or a segment is too long. Rows of a matrix: only where n is small. Shares of the FMA limit on a 2-core EPYC
// Zen 5, 2026-11-25, in place against packed: 3x3 64 -> 64 92 and 80%, 1x1 256 -> 64 85 and 72%, 1x1 512 -> 128 68 and 84%.
static inline bool readsInPlace(int64_t columns, int64_t segments, int64_t length, int64_t n) {
  if (length == 0 || length * kTileColumns > kWindowPanelFloats) return false;
  return segments > 1 ? columns > kTileRows / 2 && n <= 512 : n <= kUnpackedColumns;
}

// The same for a convolution, whose positions are many: rows of a matrix too, up to 2048 columns, since B is packed once for
// all threads and tasks are small. In place against packed, two threads: 1x1 512 -> 128 89 and 82%, 512 -> 2048 79 and 77%,
// backward-data of 1x1 256 -> 1024 89 and 85%, of 3x3 stride 2 128 -> 256, where one phase has one tap, 83 and 78%.
static inline bool windowsInPlace(int64_t columns, int64_t segments, int64_t length, int64_t n) {
  if (readsInPlace(columns, segments, length, n)) return true;
  return segments == 1 && length > 0 && length * kTileColumns <= kWindowPanelFloats && columns > kTileRows / 2 && n <= 2048;
}

// Rows this many floats apart, or a multiple, fall on one set of a first-level cache, which holds 12 lines (48 KB) or 8 (32 KB).
inline constexpr int64_t kSetStride = 1024, kSetLines = 8;

// The product once B is packed: for `images` grids of positions,
//   result(position, j) = epilogue(sum over k of A(position, k) B(k, j)),  j < n
struct WindowProduct {
  const float* image;
  Grid grid;
  Segments segments;
  int64_t segmentCount, n;
  const float* b;  // panels, [depth][kTileColumns] each
  Places places;
  Epilogue epilogue;

  int64_t depth() const { return segmentCount * segments.length; }
  int64_t tilesOfRow() const { return ceilDiv(grid.columns, kTileRows); }  // equal but for one position

  // Tiles [begin, end), row after row of the grid: panel after panel.
  void run(int64_t begin, int64_t end) const {
    const int64_t tiles = tilesOfRow(), segmentsEach = most(1, kWindowPanelFloats / (segments.length * kTileColumns));
    for (int64_t segment = 0; segment < segmentCount; segment += segmentsEach) {
      const int64_t count = least(segmentsEach, segmentCount - segment);
      const Segments block{segments.offsets + segment, segments.length};
      for (int64_t j = 0; j < n; j += kTileColumns) {
        const float* const panel = b + j * depth() + segment * segments.length * kTileColumns;
        const int64_t columns = least(kTileColumns, n - j);
        const int vectors = static_cast<int>(ceilDiv(columns, kLanes));
        TileStore s{nullptr, places.columnStep, epilogue.bias == nullptr ? nullptr : epilogue.bias + j,
                    epilogue.activation, epilogue.accumulate || segment > 0, segment + count == segmentCount,
                    static_cast<int>(columns - (vectors - 1) * kLanes)};
        for (int64_t at = begin; at < end; ++at) {
          const int64_t tile = at % tiles, row = at / tiles % grid.rows, image0 = at / tiles / grid.rows;
          const int64_t first = grid.columns * tile / tiles, last = grid.columns * (tile + 1) / tiles;
          s.c = places.c + image0 * places.imageStep + row * places.rowStep + first * places.columnStep + j;
          const float* const from = image + image0 * grid.imageStep + row * grid.rowStep + first * grid.columnStep;
          windowTileFor(static_cast<int>(last - first), vectors)(from, grid.columnStep, block, count, panel, s);
        }
      }
    }
  }
};

static inline size_t packedBBytes(int64_t n, int64_t depth) {
  return static_cast<size_t>(packedColumns(n) * depth) * sizeof(float);
}

// The product of `images` grids on the thread pool. Scratch: shared slot 0 (B), slot 1 of each worker (copied rows of A).
template <class PackB>
static void multiplyWindows(Exec& exec, const float* image, int64_t images, Grid grid, const Segments& segments,
                            int64_t segmentCount, int64_t n, const PackB& packB, Places places, const Epilogue& e) {
  const int64_t depth = segmentCount * segments.length;
  auto* const b = static_cast<float*>(exec.scratch(Exec::kShared, 0, packedBBytes(n, depth)));
  parallelRange(exec, ceilDiv(n, kTileColumns), 1 + kSerialWork / 8 / (depth * kTileColumns),
                [&](int64_t begin, int64_t end, int) {
                  packPanels<kTileColumns>(packB, begin * kTileColumns, least(n, end * kTileColumns), 0, depth,
                                           b + begin * depth * kTileColumns);
                });
  // Rows that follow each other without a gap are one row, which has fewer edges.
  if (grid.rowStep == grid.columns * grid.columnStep && places.rowStep == grid.columns * places.columnStep) {
    grid.columns *= grid.rows;
    grid.rows = 1;
    if (grid.imageStep == grid.columns * grid.columnStep && places.imageStep == grid.columns * places.columnStep) {
      grid.columns *= images;
      images = 1;
    }
  }
  const WindowProduct product{image, grid, segments, segmentCount, n, b, places, e};
  // A task takes some tiles: few, so that threads end together.
  const int64_t total = images * grid.rows * product.tilesOfRow(), work = kTileRows * depth * n;
  int64_t tilesEach = 1 + kWindowTaskWork / work;
  if (tilesEach * exec.threads() > total) tilesEach = most(ceilDiv(total, exec.threads()), 1 + kSerialWork / work);
  if (total * work < 2 * kSerialWork) tilesEach = total;
  int64_t tasks = ceilDiv(total, tilesEach);
  if (tasks > 1) tasks = least(total, ceilDiv(tasks, exec.threads()) * exec.threads());
  // Rows that would push each other out of L1 are copied first, a task's at a time, a line more than their length apart.
  // For few columns that costs more than it gives: 1x1 1024 -> 32 62% of the peak with and 72% without.
  const bool copies = kTileRows > kSetLines && n > kUnpackedColumns && images == 1 && grid.rows == 1 &&
                      segmentCount == 1 && grid.columnStep % kSetStride == 0;
  const int64_t apart = depth + 16, tiles = product.tilesOfRow();
  parallel(exec, tasks, [&](int64_t task, int worker) {
    const int64_t begin = total * task / tasks, end = total * (task + 1) / tasks;
    if (!copies) return product.run(begin, end);
    const int64_t first = grid.columns * begin / tiles, last = grid.columns * end / tiles, none = 0;
    auto* const rows = static_cast<float*>(exec.scratch(worker, 1, static_cast<size_t>((last - first) * apart) * 4));
    for (int64_t i = first; i < last; ++i)
      std::memcpy(rows + (i - first) * apart, image + segments.offsets[0] + i * grid.columnStep,
                  static_cast<size_t>(depth) * 4);
    WindowProduct copied = product;
    copied.image = rows - first * apart;
    copied.grid.columnStep = apart;
    copied.segments.offsets = &none;
    copied.run(begin, end);
  });
}

// C = A B for rows of A [m, k], one after the other, on one worker. Scratch: its slot 0 (B).
template <class PackB>
static void multiplyRows(Exec& exec, int worker, const float* a, int64_t m, int64_t n, int64_t k, const PackB& packB, float* c,
                         const Epilogue& e) {
  auto* const b = static_cast<float*>(exec.scratch(worker, 0, packedBBytes(n, k)));
  packPanels<kTileColumns>(packB, 0, n, 0, k, b);
  const int64_t start = 0;
  const WindowProduct product{a, {1, m, 0, 0, k}, {&start, k}, 1, n, b, {c, 0, 0, n}, e};
  product.run(0, product.tilesOfRow());
}

}  // namespace anneal::ANNEAL_ISA
