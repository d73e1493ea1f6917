// A product over positions, C[i, j] = sum over positions r of A(r, i) B(r, j): both operands run along memory from position to
// position and are long, and few sums come of them (backward-weight). So what matters is how they come in. Rows of tiles of A
// are packed, a block of depth at a time, into L2; B passes by in panels of columns, each packed by the first tile that reads
// it, where the caller gives the wider side. Meanwhile the other tiles fetch what comes next, a line of each row a step, since
// from one position to the next is further than hardware prefetchers look: 1x1 256 -> 64 at 56x56 ran at half of the limit
// without.
#pragma once

#include "windows.h"

namespace anneal::ANNEAL_ISA {

inline constexpr int64_t kRowsInBlock = 280 / kTileRows * kTileRows;  // of packed rows: with their depth less than half of L2
// Depth of a block. A shallow one leaves A and B in L1, a deep one meets C less often, which pays where C is large: 1x1
// 256 -> 64 at 56x56 2.43 and 2.55 ms with 200 and 400, 256 -> 1024 at 14x14 2.32 and 2.28. EPYC Zen 5, 2026-11-25.
inline constexpr int64_t kShallow = 256, kDeep = 512;
inline constexpr int64_t kSmallFloats = 65536;  // of C: a quarter of L2

// One side of the product: element (place, position) is at row(position)[offset of the place].
struct Side {
  const float* data;
  Grid grid;
  Segments segments;
  int64_t places;
  const float* end;
  // With taps a segment is a tap, the offsets are not used, and pixels outside of the image are zeros.
  const Shape* taps;
  const float* zeros;

  int64_t segmentOf(int64_t place) const { return taps == nullptr ? 0 : place / segments.length; }
  int64_t offset(int64_t place) const {
    const int64_t within = place % segments.length;
    return taps == nullptr ? segments.offsets[place / segments.length] + within : within;
  }

  // Rows of positions [first, first + count), the last one again beyond `total`.
  void rows(int64_t segment, int64_t first, int64_t count, int64_t total, const float** to) const {
    int64_t b = first % grid.columns, a = first / grid.columns % grid.rows, n = first / grid.columns / grid.rows;
    const int64_t inside = least(count, total - first);
    int64_t i = 0;
    while (i < inside) {
      const int64_t run = least(grid.columns - b, inside - i);
      if (taps == nullptr) {
        const float* row = data + n * grid.imageStep + a * grid.rowStep + b * grid.columnStep;
        for (int64_t end = i + run; i < end; ++i, row += grid.columnStep) to[i] = row;
      } else {
        const int64_t y = a * taps->sh - taps->top + segment / taps->kw * taps->dh;
        int64_t x = b * taps->sw - taps->left + segment % taps->kw * taps->dw;
        const float* const row = data + (n * taps->h + y) * taps->w * taps->c;
        for (int64_t end = i + run; i < end; ++i, x += taps->sw)
          to[i] = y >= 0 && y < taps->h && x >= 0 && x < taps->w ? row + x * taps->c : zeros;
      }
      b = 0;
      if (++a == grid.rows) {
        a = 0;
        ++n;
      }
    }
    for (; i < count; ++i) to[i] = to[i - 1];
  }
};

// The rows of one block of depth and segment, and of the next: two tables, of which the one not asked for last is filled anew.
struct RowTables {
  const float** tables[2];
  int64_t firsts[2] = {-1, -1}, segments[2] = {-1, -1};
  int last = 0;

  const float* const* get(const Side& side, int64_t segment, int64_t first, int64_t count, int64_t total) {
    for (int i = 0; i < 2; ++i)
      if (firsts[i] == first && segments[i] == segment) return tables[last = i];
    last = 1 - last;
    firsts[last] = first;
    segments[last] = segment;
    side.rows(segment, first, count, total, tables[last]);
    return tables[last];
  }
};

// The places of a panel, in pieces of contiguous ones.
template <int Width> struct PanelPlaces {
  struct Piece {
    int64_t offset;
    int at, length;
  } pieces[Width];
  int count = 0, width;
  int64_t reach = 0;  // what lies before it may be read

  PanelPlaces(const Side& side, int64_t first, int64_t places) : width(static_cast<int>(least(Width, places))) {
    for (int i = 0; i < width;) {
      const int64_t left = side.segments.length - (first + i) % side.segments.length;
      const int length = static_cast<int>(least(left, width - i));
      pieces[count++] = {side.offset(first + i), i, length};
      reach = side.offset(first + i) + length + 3;  // offsets ascend
      i += length;
    }
  }

  // to[k * Width + i] = place i of rows[k]. Pieces are copied four floats at a time: what is too much is overwritten by the next
  // piece or row (beyond the last row lies slack), and near the end of the image, where such a read would leave it, one by one.
  void pack(const float* const* rows, const float* end, int64_t depth, float* to) const {
    if (count == 1) {
      const int64_t offset = pieces[0].offset;
      if (width == Width)
        for (int64_t k = 0; k < depth; ++k) copyRun<Width>(rows[k] + offset, to + k * Width);
      else
        for (int64_t k = 0; k < depth; ++k)
          for (int at = 0; at < width; at += kLanes)
            storeRow<Width>(to + k * Width, at,
                            loadPartial(rows[k] + offset + at, width - at < kLanes ? width - at : kLanes));
      return;
    }
    int64_t whole = depth;
    while (whole > 0 && end - rows[whole - 1] < reach) --whole;
    for (int64_t k = 0; k < whole; ++k)
      for (int p = 0; p < count; ++p)
        for (int at = 0; at < pieces[p].length; at += 4)
          *reinterpret_cast<v4_unaligned*>(to + k * Width + pieces[p].at + at) = load4(rows[k] + pieces[p].offset + at);
    for (int64_t k = whole; k < depth; ++k)
      for (int p = 0; p < count; ++p)
        for (int at = 0; at < pieces[p].length; ++at) to[k * Width + pieces[p].at + at] = rows[k][pieces[p].offset + at];
  }
};

// Rows of a block and a place in them.
struct Along {
  const float* const* rows;
  int64_t at;
};

// A tile that passes along rows as well. Its panel of B it reads there, and packs it on the way for the tiles that follow; or
// the panel is packed, and a line of each row is fetched into L2.
template <int Rows, int Vectors, bool Packs>
static inline __attribute__((always_inline)) void runAlong(int64_t depth, const float* a, float* b, const Along& along,
                                                           const TileStore& s) {
  ANNEAL_UNROLL for (int i = 0; i < Rows; ++i)
    ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) __builtin_prefetch(s.c + i * s.ldc + v * kLanes, 1);
  vf sums[Rows][Vectors] = {};
  const float* const* const rows = along.rows;
  const int64_t at = along.at;
  for (int64_t k = 0; k < depth; ++k) {
    const float* const place = rows[k] + at;
    if (!Packs) __builtin_prefetch(place, 0, 2);
    vf row[Vectors];
    ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) row[v] = load((Packs ? place : b) + v * kLanes);
    if (Packs)
      ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) store(b + v * kLanes, row[v]);
    ANNEAL_UNROLL for (int i = 0; i < Rows; ++i) {
      const vf value = splat(a[i]);
      ANNEAL_UNROLL for (int v = 0; v < Vectors; ++v) sums[i][v] += value * row[v];
    }
    a += kTileRows;
    b += kTileColumns;
  }
  finishTile<Rows, Vectors>(sums, s);
}
template <int Rows, int Vectors> struct FetchingTile {
  static void run(int64_t depth, const float* a, float* b, const Along& along, const TileStore& s) {
    runAlong<Rows, Vectors, false>(depth, a, b, along, s);
  }
};
template <int Rows, int Vectors> struct PackingTile {
  static void run(int64_t depth, const float* a, float* b, const Along& along, const TileStore& s) {
    runAlong<Rows, Vectors, true>(depth, a, b, along, s);
  }
};
using AlongFn = void (*)(int64_t depth, const float* a, float* b, const Along& along, const TileStore& s);

// What is to be fetched, a line of all rows of a block at a time: first of the next panel, then of the next rows of tiles.
struct Ahead {
  static constexpr int64_t kLine = 16;

  struct Run {
    const Side* side;
    const float* const* rows;
    int64_t place, end;

    bool take(Along& fetch) {
      if (place >= end) return false;
      fetch = {rows, side->offset(place)};
      const bool aligned = reinterpret_cast<uintptr_t>(rows[0] + fetch.at) % 64 == 0;
      // Lines that start before the places they hold: the last one needs a step of its own.
      place = aligned || place + 1 == end ? place + kLine : least(place + kLine, end - 1);
      return true;
    }
  } panel, block;

  bool take(Along& fetch) { return panel.take(fetch) || block.take(fetch); }
};

// C[i, j] = sum over positions [begin, end) of (place i of A) (place j of B), on one worker. Scratch: its slots 0 and 1.
struct Product {
  const Side &a, &b;
  int64_t total;  // positions there are
  float* c;
  int64_t ldc;

  void run(Exec& exec, int worker, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t begin, int64_t end) const {
    const int64_t most = a.places * b.places <= kSmallFloats ? kShallow : kDeep;  // the same for all tasks: it orders the sums
    const int64_t depthMost = ceilDiv(end - begin, ceilDiv(end - begin, most));
    auto* const packedA =
        static_cast<float*>(exec.scratch(worker, 1, packedABytes(least(i1 - i0, kRowsInBlock), depthMost)));
    auto* const packedB = static_cast<float*>(exec.scratch(
        worker, 0, static_cast<size_t>(depthMost * kTileColumns + kLanes) * 4 + static_cast<size_t>(depthMost) * 4 * sizeof(float*)));
    auto** const tables = reinterpret_cast<const float**>(packedB + depthMost * kTileColumns + kLanes);
    RowTables rowsA{{tables, tables + depthMost}}, rowsB{{tables + 2 * depthMost, tables + 3 * depthMost}};
    for (int64_t k0 = begin; k0 < end; k0 += depthMost) {
      const int64_t depth = least(depthMost, end - k0);
      for (int64_t i = i0; i < i1; i += kRowsInBlock) {
        const int64_t ie = least(i1, i + kRowsInBlock);
        const bool again = ie < i1;  // the next block is of the same depth
        const int64_t nextK = again ? k0 : least(k0 + depth, total - 1), nextI = again ? ie : i0;
        packRowsOfTiles(rowsA.get(a, 0, k0, depthMost, total), i, ie, depth, packedA);
        Ahead ahead{{}, {&a, rowsA.get(a, 0, nextK, depthMost, total), nextI, least(i1, nextI + kRowsInBlock)}};
        for (int64_t j = j0; j < j1; j += kTileColumns) {
          const PanelPlaces<kTileColumns> places(b, j, j1 - j);
          const float* const* const rows = rowsB.get(b, b.segmentOf(j), k0, depthMost, total);
          const Along along{rows, places.pieces[0].offset};
          const bool whole = places.count == 1 && places.width == kTileColumns;
          if (!whole) places.pack(rows, b.end, depth, packedB);
          const bool last = j + kTileColumns >= j1;
          const int64_t next = last ? j0 : j + kTileColumns;
          ahead.panel = {&b, rowsB.get(b, b.segmentOf(next), last ? nextK : k0, depthMost, total), next, least(j1, next + kTileColumns)};
          multiplyPanel(packedA, i, ie, packedB, whole ? &along : nullptr, j, j1, depth, k0 > begin, ahead);
        }
      }
    }
  }

 private:
  void packRowsOfTiles(const float* const* rows, int64_t first, int64_t end, int64_t depth, float* to) const {
    for (int64_t k = 0; k < depth; k += kPackingSteps) {
      float* panel = to + k * kTileRows;
      for (int64_t i = first; i < end; i += kTileRows, panel += panelFloats<kTileRows>(depth))
        PanelPlaces<kTileRows>(a, i, end - i).pack(rows + k, a.end, least(kPackingSteps, depth - k), panel);
    }
  }

  void multiplyPanel(const float* packedA, int64_t i0, int64_t i1, float* packedB, const Along* unpacked, int64_t j, int64_t j1,
                     int64_t depth, bool load, Ahead& ahead) const {
    const int64_t columns = least(kTileColumns, j1 - j);
    const int vectors = static_cast<int>(ceilDiv(columns, kLanes));
    TileStore s{nullptr, ldc, nullptr, Activation::none, load, true, static_cast<int>(columns - (vectors - 1) * kLanes)};
    for (int64_t i = i0; i < i1; i += kTileRows, packedA += panelFloats<kTileRows>(depth)) {
      const int rows = static_cast<int>(least(kTileRows, i1 - i));
      s.c = c + i * ldc + j;
      Along fetch;
      if (i == i0 && unpacked != nullptr) tileOf<PackingTile, AlongFn>(rows, vectors)(depth, packedA, packedB, *unpacked, s);
      else if (ahead.take(fetch)) tileOf<FetchingTile, AlongFn>(rows, vectors)(depth, packedA, packedB, fetch, s);
      else tileFor(rows, vectors)(depth, packedA, packedB, kTileColumns, s);
    }
  }
};

}  // namespace anneal::ANNEAL_ISA
