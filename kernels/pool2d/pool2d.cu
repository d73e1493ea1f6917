// Pooling on CUDA, forward and backward (contract: pool2d.h).
//
// A thread makes four neighbouring channels of one element of the result, or one channel where C or an operand's place is no multiple of
// four. Neighbouring threads have neighbouring channels, so that what they read and write lies together, and what windows share comes
// from the caches. Of a window four elements are asked for at once. Backward gathers: the windows that hold an element follow from
// strides and kernel and are added in raster order, so nothing is written twice and nothing is zeroed before.
//
// A 2x2 maximum moves 20 bytes for 3 comparisons: memory binds. Finding the element takes three divisions, some 90 instructions a
// thread, where the memory of four channels gives time for some 600.
#include "../common/floats.cuh"
#include "pool2d.cuda.h"

namespace anneal::cuda {
namespace {

struct Range {
  uint32_t begin, end;
};

// What a thread makes of an image [N, rows, columns, C].
struct Element {
  int64_t at;  // its first item
  int64_t n;
  uint32_t row, column, c;
};

template <int W> ANNEAL_GPU Element elementOf(const Pool2dParams& p, uint32_t rows, uint32_t columns) {
  const auto index = static_cast<uint64_t>(flatThread());
  const uint32_t across = p.c / W;
  const uint64_t pixel = index / across, line = pixel / columns, n = line / rows;
  return {static_cast<int64_t>(index) * W, static_cast<int64_t>(n), static_cast<uint32_t>(line - n * rows),
          static_cast<uint32_t>(pixel - line * columns), static_cast<uint32_t>(index - pixel * across) * W};
}

// The first item of a pixel's channels from c on.
ANNEAL_GPU int64_t itemOf(const Pool2dParams& p, int64_t n, uint32_t rows, uint32_t columns, int64_t row, int64_t column, uint32_t c) {
  return ((n * rows + row) * columns + column) * p.c + c;
}

// What of a window's rows or columns lies in the image: its taps.
ANNEAL_GPU Range tapsOf(uint32_t at, uint32_t stride, uint32_t pad, uint32_t kernel, uint32_t size) {
  const uint32_t first = at * stride;
  return {first < pad ? pad - first : 0, min(kernel, size + pad - first)};
}

// The windows that hold a row or column.
ANNEAL_GPU Range windowsOf(uint32_t at, uint32_t stride, uint32_t pad, uint32_t kernel, uint32_t count) {
  const uint32_t place = at + pad;
  return {place >= kernel ? (place - kernel) / stride + 1 : 0, min(count, place / stride + 1)};
}

ANNEAL_GPU float divisorOf(const Pool2dParams& p, const Range& rows, const Range& columns) {
  if (p.countIncludePad != 0) return static_cast<float>(p.kh * p.kw);
  return static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
}

// use(row, column, load(row, column)) for each of a rectangle in raster order, four loads at a time.
template <class Load, class Use> ANNEAL_GPU void eachOf(const Range& rows, const Range& columns, const Load& load, const Use& use) {
  constexpr int kAtOnce = 4;
  if (columns.begin >= columns.end) return;
  uint32_t row = rows.begin, column = columns.begin;
  while (row < rows.end) {
    decltype(load(row, column)) items[kAtOnce];
    uint32_t inRow[kAtOnce], inColumn[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) {
      inRow[k] = row;
      inColumn[k] = column;
      if (row >= rows.end) continue;
      items[k] = load(row, column);
      if (++column < columns.end) continue;
      column = columns.begin;
      ++row;
    }
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      if (inRow[k] < rows.end) use(inRow[k], inColumn[k], items[k]);
  }
}

// eachOf over the elements of the window of an output.
template <int W, class Use> ANNEAL_GPU void overWindow(const PoolArgs& args, const Element& to, const Range& rows, const Range& columns, const Use& use) {
  const Pool2dParams& p = args.params;
  const int64_t top = static_cast<int64_t>(to.row) * p.strideH - p.padTop, left = static_cast<int64_t>(to.column) * p.strideW - p.padLeft;
  eachOf(
      rows, columns,
      [&](uint32_t ky, uint32_t kx) { return args.x.as<Floats<W>>(itemOf(p, to.n, p.h, p.w, top + ky, left + kx, to.c)); }, use);
}

template <int W> ANNEAL_GPU void maxForward(const PoolArgs& args) {
  const Pool2dParams& p = args.params;
  const Element to = elementOf<W>(p, p.oh, p.ow);
  if (to.n >= p.n) return;
  const Range rows = tapsOf(to.row, p.strideH, p.padTop, p.kh, p.h), columns = tapsOf(to.column, p.strideW, p.padLeft, p.kw, p.w);
  Floats<W> best = zeros<W>();
  int32_t place[W];
#pragma unroll
  for (int k = 0; k < W; ++k) place[k] = -1;
  overWindow<W>(args, to, rows, columns, [&](uint32_t ky, uint32_t kx, const Floats<W>& x) {
    const auto tap = static_cast<int32_t>(ky * p.kw + kx);
#pragma unroll
    for (int k = 0; k < W; ++k) {
      // The last NaN wins.
      const bool takes = x.at[k] > best.at[k] || x.at[k] != x.at[k] || place[k] < 0;
      best.at[k] = takes ? x.at[k] : best.at[k];
      place[k] = takes ? tap : place[k];
    }
  });
  args.y.as<Floats<W>>(to.at) = best;
  if (!args.argmax.present()) return;
  if constexpr (W == 4) args.argmax.as<int4>(to.at) = make_int4(place[0], place[1], place[2], place[3]);
  else args.argmax[to.at] = place[0];
}

template <int W> ANNEAL_GPU void averageForward(const PoolArgs& args) {
  const Pool2dParams& p = args.params;
  const Element to = elementOf<W>(p, p.oh, p.ow);
  if (to.n >= p.n) return;
  const Range rows = tapsOf(to.row, p.strideH, p.padTop, p.kh, p.h), columns = tapsOf(to.column, p.strideW, p.padLeft, p.kw, p.w);
  Floats<W> sum = zeros<W>(), along = zeros<W>();
  overWindow<W>(args, to, rows, columns, [&](uint32_t, uint32_t kx, const Floats<W>& x) {
    const bool ends = kx + 1 == columns.end;
#pragma unroll
    for (int k = 0; k < W; ++k) {
      along.at[k] += x.at[k];
      sum.at[k] = ends ? sum.at[k] + along.at[k] : sum.at[k];
      along.at[k] = ends ? 0.0f : along.at[k];
    }
  });
  const float divisor = divisorOf(p, rows, columns);
#pragma unroll
  for (int k = 0; k < W; ++k) sum.at[k] /= divisor;
  args.y.as<Floats<W>>(to.at) = sum;
}

template <int W> struct Share {
  Floats<W> dy;
  int32_t place[W];
};

template <int W> ANNEAL_GPU void maxBackward(const PoolBackwardArgs& args) {
  const Pool2dParams& p = args.params;
  const Element to = elementOf<W>(p, p.h, p.w);
  if (to.n >= p.n) return;
  const Range rows = windowsOf(to.row, p.strideH, p.padTop, p.kh, p.oh), columns = windowsOf(to.column, p.strideW, p.padLeft, p.kw, p.ow);
  Floats<W> sum = zeros<W>();
  eachOf(
      rows, columns,
      [&](uint32_t oy, uint32_t ox) {
        const int64_t from = itemOf(p, to.n, p.oh, p.ow, oy, ox, to.c);
        Share<W> share;
        share.dy = args.dy.as<Floats<W>>(from);
        if constexpr (W == 4) {
          const int4 place = args.argmax.as<int4>(from);
          share.place[0] = place.x;
          share.place[1] = place.y;
          share.place[2] = place.z;
          share.place[3] = place.w;
        } else {
          share.place[0] = args.argmax[from];
        }
        return share;
      },
      [&](uint32_t oy, uint32_t ox, const Share<W>& share) {
        const uint32_t ky = to.row + p.padTop - oy * p.strideH, kx = to.column + p.padLeft - ox * p.strideW;
        const auto tap = static_cast<int32_t>(ky * p.kw + kx);
#pragma unroll
        for (int k = 0; k < W; ++k) sum.at[k] += share.place[k] == tap ? share.dy.at[k] : 0.0f;
      });
  args.dx.as<Floats<W>>(to.at) = sum;
}

template <int W> ANNEAL_GPU void averageBackward(const PoolBackwardArgs& args) {
  const Pool2dParams& p = args.params;
  const Element to = elementOf<W>(p, p.h, p.w);
  if (to.n >= p.n) return;
  const Range rows = windowsOf(to.row, p.strideH, p.padTop, p.kh, p.oh), columns = windowsOf(to.column, p.strideW, p.padLeft, p.kw, p.ow);
  Floats<W> sum = zeros<W>();
  eachOf(
      rows, columns, [&](uint32_t oy, uint32_t ox) { return args.dy.as<Floats<W>>(itemOf(p, to.n, p.oh, p.ow, oy, ox, to.c)); },
      [&](uint32_t oy, uint32_t ox, const Floats<W>& dy) {
        const float divisor = divisorOf(p, tapsOf(oy, p.strideH, p.padTop, p.kh, p.h), tapsOf(ox, p.strideW, p.padLeft, p.kw, p.w));
#pragma unroll
        for (int k = 0; k < W; ++k) sum.at[k] += dy.at[k] / divisor;
      });
  args.dx.as<Floats<W>>(to.at) = sum;
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128) max_pool4(const PoolArgs args) { maxForward<4>(args); }
extern "C" __global__ void __launch_bounds__(128) max_pool1(const PoolArgs args) { maxForward<1>(args); }

extern "C" __global__ void __launch_bounds__(128) average_pool4(const PoolArgs args) { averageForward<4>(args); }
extern "C" __global__ void __launch_bounds__(128) average_pool1(const PoolArgs args) { averageForward<1>(args); }

extern "C" __global__ void __launch_bounds__(128) max_pool_backward4(const PoolBackwardArgs args) { maxBackward<4>(args); }
extern "C" __global__ void __launch_bounds__(128) max_pool_backward1(const PoolBackwardArgs args) { maxBackward<1>(args); }

extern "C" __global__ void __launch_bounds__(128) average_pool_backward4(const PoolBackwardArgs args) { averageBackward<4>(args); }
extern "C" __global__ void __launch_bounds__(128) average_pool_backward1(const PoolBackwardArgs args) { averageBackward<1>(args); }

}  // namespace anneal::cuda
