// Convolution as a matrix product whose A is never stored: windows of a padded image, gathered while packing.
//
// Row i of A is a position (n, a, b) of a grid, column k a place in the window. Both are offsets into the image that add
// up: A(i, k) = image[rowOffset(i) + columnOffset(k)]. Columns come in segments of equal length within which the image is
// contiguous: a row of the window when taps are neighbours, one pixel otherwise.
#pragma once

#include "../sgemm/window_product.h"
#include "conv2d.h"

namespace anneal::ANNEAL_ISA {

// An image batch [N,H,W,C] with zeros around it, or as it is when none are needed.
struct Padded {
  const float* data;
  int64_t h, w, c;
};

// Places [N,H,W,C] into zeros [N,hp,wp,C] at (top, left), cropping what falls outside. Scratch: shared slot 2.
static inline Padded padImages(Exec& exec, const float* x, int64_t n, int64_t h, int64_t w, int64_t c, int64_t top,
                               int64_t left, int64_t hp, int64_t wp) {
  if (top == 0 && left == 0 && hp <= h && wp <= w) return {x, h, w, c};
  auto* const to = static_cast<float*>(exec.scratch(Exec::kShared, 2, static_cast<size_t>(n * hp * wp * c) * 4));
  const int64_t inside = least(w, wp - left) > 0 ? least(w, wp - left) : 0;
  parallelRange(exec, n * hp, 1 + 65536 / (wp * c + 1), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t i = row % hp - top;
      float* const out = to + row * wp * c;
      if (i < 0 || i >= h || inside == 0) {
        std::memset(out, 0, static_cast<size_t>(wp * c) * 4);
        continue;
      }
      std::memset(out, 0, static_cast<size_t>(left * c) * 4);
      std::memcpy(out + left * c, x + ((row / hp * h + i) * w) * c, static_cast<size_t>(inside * c) * 4);
      std::memset(out + (left + inside) * c, 0, static_cast<size_t>((wp - left - inside) * c) * 4);
    }
  });
  return {to, hp, wp, c};
}

// Rows of A are positions, depth runs over the window: forward and backward-data.
struct WindowPacker {
  const float* image;
  Grid grid;
  Segments segments;

  bool byRuns() const { return false; }
  void operator()(int64_t first, int count, int64_t k0, int64_t depth, float* to) const {
    int64_t offsets[kTileRows];
    offsets[0] = grid.offset(first);
    int64_t b = first % grid.columns;
    bool neighbours = grid.columnStep == 1;
    for (int i = 1; i < count; ++i) {
      if (++b == grid.columns) {
        b = 0;
        offsets[i] = grid.offset(first + i);
        neighbours = false;
      } else {
        offsets[i] = offsets[i - 1] + grid.columnStep;
      }
    }
    for (int64_t k = k0; k < k0 + depth;) {
      const int64_t s = k / segments.length, within = k % segments.length;
      const int64_t run = least(segments.length - within, k0 + depth - k);
      const float* const base = image + segments.offsets[s] + within;
      float* const out = to + (k - k0) * kTileRows;
      if (neighbours) {
        packRuns<kTileRows>(base + offsets[0], 1, count, run, out);  // one channel: the next row is the next pixel
      } else {
        const float* rows[kTileRows];
        for (int i = 0; i < kTileRows; ++i) rows[i] = base + offsets[i < count ? i : 0];
        packRows<kTileRows>(rows, run, out);
      }
      k += run;
    }
  }
};

// Rows of A are places in the window, depth runs over positions from `firstPosition` on: backward-weight.
struct TransposedWindowPacker {
  const float* image;
  Grid grid;
  Segments segments;
  int64_t firstPosition;
  const float* end;  // of the image

  bool byRuns() const { return true; }

  // A row of kTileRows from one position: whole, or in pieces, one for each segment it crosses. Pieces are copied four
  // floats at a time: what is too much is overwritten by the next piece or row (beyond the last row lies slack), and near
  // the end of the image, where such a read would leave it, one by one.
  void operator()(int64_t first, int count, int64_t k0, int64_t depth, float* to) const {
    struct Piece {
      int64_t offset;
      int at, length;
    } pieces[kTileRows];
    int pieceCount = 0;
    int64_t reach = 0;
    const int64_t limit = end - image;
    for (int i = 0; i < count;) {
      const int64_t s = (first + i) / segments.length, within = (first + i) % segments.length;
      const int length = static_cast<int>(least(segments.length - within, count - i));
      pieces[pieceCount++] = {segments.offsets[s] + within, i, length};
      reach = segments.offsets[s] + within + length + 3;  // offsets ascend
      i += length;
    }
    int64_t position = firstPosition + k0, b = position % grid.columns;
    for (int64_t k = 0; k < depth;) {  // a row of the grid at a time
      const int64_t positions = least(grid.columns - b, depth - k), offset = grid.offset(position);
      const float* base = image + offset;
      if (pieceCount == 1) {
        packRuns<kTileRows>(base + pieces[0].offset, grid.columnStep, count, positions, to);
      } else if (offset + (positions - 1) * grid.columnStep + reach <= limit) {
        for (int64_t i = 0; i < positions; ++i, base += grid.columnStep)
          for (int p = 0; p < pieceCount; ++p)
            for (int at = 0; at < pieces[p].length; at += 4)
              *reinterpret_cast<v4_unaligned*>(to + i * kTileRows + pieces[p].at + at) =
                  *reinterpret_cast<const v4_unaligned*>(base + pieces[p].offset + at);
      } else {
        for (int64_t i = 0; i < positions; ++i, base += grid.columnStep)
          for (int p = 0; p < pieceCount; ++p)
            for (int at = 0; at < pieces[p].length; ++at)
              to[i * kTileRows + pieces[p].at + at] = base[pieces[p].offset + at];
      }
      to += positions * kTileRows;
      k += positions;
      position += positions;
      b = 0;
    }
  }
};

// Columns of B are input channels, depth runs over (tap, output channel of the group): backward-data reads the weights
// [KH,KW,C/G,OC] transposed.
struct TransposedWeightPacker {
  const float* weights;     // at the group's first output channel
  const int64_t* taps;      // kh * KW + kw of each tap
  int64_t inputs, outputs;  // channels in a group
  int64_t ld;               // OC

  bool byRuns() const { return false; }
  void operator()(int64_t first, int count, int64_t k0, int64_t depth, float* to) const {
    for (int64_t k = k0; k < k0 + depth;) {
      const int64_t tap = taps[k / outputs], o = k % outputs;
      const int64_t run = least(outputs - o, k0 + depth - k);
      const float* rows[kTileColumns];
      for (int i = 0; i < kTileColumns; ++i) rows[i] = weights + (tap * inputs + first + (i < count ? i : 0)) * ld + o;
      packRows<kTileColumns>(rows, run, to + (k - k0) * kTileColumns);
      k += run;
    }
  }
};

}  // namespace anneal::ANNEAL_ISA
