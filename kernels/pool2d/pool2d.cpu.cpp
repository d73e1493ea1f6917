// Pooling forward on the CPU: vectors run over channels, tasks over rows. Memory bound, so one pass over each operand: 2x2 and
// 3x3 windows have bodies of their own, in which the loops over a window vanish.
#include "rows.h"

namespace anneal::ANNEAL_ISA {
namespace {

using namespace pool;

constexpr int64_t kAhead = 2048;              // items from the window that is read to what is fetched for it
constexpr size_t kFetchBytes = size_t{4} << 20;  // of all operands, from which x comes from beyond the second-level caches

// A constant as an argument.
template <int kCount> struct Constant {
  static constexpr int count = kCount;
};

// One window in the image: x its first element, `first` the index of that in the window (not 0 where the window begins in
// the padding), rows x columns what lies in the image.
struct Window {
  const float* x;
  int64_t rows, columns;
  int32_t first;
  float divisor;  // of an average
};

// kSize x kSize where that is not 0, and then windows are whole.
template <int kSize, bool kArgmax, class Stores>
static inline void maxWindow(Stores stores, const Window& w, const Pool2dParams& p, float* y, int32_t* argmax) {
  const int64_t channels = p.c, rowStride = p.w * channels, rows = kSize ? kSize : w.rows, columns = kSize ? kSize : w.columns;
  const int32_t kw = kSize ? kSize : static_cast<int32_t>(p.kw), first = kSize ? 0 : w.first;
  eachChannel(channels, [&](auto lanes, int64_t c) {
    const float* const x = w.x + c;
    vf best = lanes.at(x), previous = best;
    vi at = splati(first);
    bool nan = false;
    ANNEAL_UNROLL for (int64_t r = 0; r < rows; ++r) ANNEAL_UNROLL for (int64_t i = 0; i < columns; ++i) {
      const vf v = lanes.at(x + r * rowStride + i * channels);
      const vi take = v > best;
      best = take ? v : best;
      if (kArgmax) at = take ? splati(first + static_cast<int32_t>(r) * kw + static_cast<int32_t>(i)) : at;
      if ((r * columns + i) % 2 == 1 || r * columns + i == rows * columns - 1) nan |= anyNaN(previous, v);
      previous = v;
    }
    if (__builtin_expect(nan, 0)) {  // once more, now that there is one: two more instructions an item above cost a third
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < columns; ++i) {
          const vf v = lanes.at(x + r * rowStride + i * channels);
          at = v != v ? splati(first + static_cast<int32_t>(r * kw + i)) : at;
          best = v != v ? v : best;
        }
    }
    lanes.put(stores, y + c, best);
    if (kArgmax) lanes.put(stores, asFloats(argmax + c), fromBits(at));
  });
}

// Sums each row of the window first, then the rows. Four vectors of channels at a time use whole cache lines, which
// matters where the window is the whole image.
template <int kSize, class Stores>
static inline void averageWindow(Stores stores, const Window& w, const Pool2dParams& p, float* y) {
  const int64_t channels = p.c, rowStride = p.w * channels, rows = kSize ? kSize : w.rows, columns = kSize ? kSize : w.columns;
  const auto sums = [&](auto lanes, auto vectors, int64_t c) {
    constexpr int kVectors = decltype(vectors)::count;
    vf total[kVectors] = {};
    ANNEAL_UNROLL for (int64_t r = 0; r < rows; ++r) {
      vf row[kVectors] = {};
      ANNEAL_UNROLL for (int64_t i = 0; i < columns; ++i)
        ANNEAL_UNROLL for (int v = 0; v < kVectors; ++v) row[v] += lanes.at(w.x + r * rowStride + i * channels + c + v * kLanes);
      ANNEAL_UNROLL for (int v = 0; v < kVectors; ++v) total[v] += row[v];
    }
    ANNEAL_UNROLL for (int v = 0; v < kVectors; ++v)
      lanes.put(stores, y + c + v * kLanes, total[v] / splat(w.divisor));
  };
  int64_t c = 0;
  for (; c + 4 * kLanes <= channels; c += 4 * kLanes) sums(WholeVector{}, Constant<4>{}, c);
  if (c < channels)
    eachChannel(channels - c, [&](auto lanes, int64_t at) { sums(lanes, Constant<1>{}, c + at); });
}

// Whole windows of 2x2, side by side in a row of outputs, over channels that fill vectors. In functions of their own: inlined
// into the loops over rows, they lost their pointers to the stack. (3x3 windows, which do more for each, gained nothing.)
struct WholeWindows {
  static constexpr int kSize = 2;
  const float* x;  // the first window's first element
  int64_t count, channels, rowStride;
  int64_t step, strideH;  // from window to window in floats, in rows
  bool fetches;

  // What the windows further on are the first to read.
  void fetch(const float* at) const {
    if (!fetches) return;
    for (int64_t r = kSize > strideH ? kSize - strideH : 0; r < kSize; ++r)
      for (int64_t i = 0; i < step; i += 16) __builtin_prefetch(at + r * rowStride + kAhead + i);
  }
};

template <bool kArgmax, class Stores>
static __attribute__((noinline)) void maxRow(Stores stores, const WholeWindows& given, float* y, int32_t* argmax) {
  constexpr int kSize = WholeWindows::kSize;
  const WholeWindows row = given;  // a copy that stores to y cannot alias
  const float* window = row.x;
  for (int64_t o = 0; o < row.count; ++o, window += row.step, y += row.channels, argmax += kArgmax ? row.channels : 0) {
    row.fetch(window);
    for (int64_t c = 0; c < row.channels; c += kLanes) {
      const float* const x = window + c;
      vf v[kSize * kSize];
      ANNEAL_UNROLL for (int r = 0; r < kSize; ++r)
        ANNEAL_UNROLL for (int i = 0; i < kSize; ++i) v[r * kSize + i] = load(x + r * row.rowStride + i * row.channels);
      vf best = v[0];
      vi at{};
      ANNEAL_UNROLL for (int i = 1; i < kSize * kSize; ++i) {
        const vi take = v[i] > best;
        best = take ? v[i] : best;
        if (kArgmax) at = take ? splati(i) : at;
      }
      int nan = anyNaN(v[0], v[kSize * kSize - 1]);
      ANNEAL_UNROLL for (int i = 1; i + 1 < kSize * kSize; i += 2) nan |= static_cast<int>(anyNaN(v[i], v[i + 1]));
      if (__builtin_expect(nan, 0)) {
        ANNEAL_UNROLL for (int i = 0; i < kSize * kSize; ++i) {
          at = v[i] != v[i] ? splati(i) : at;
          best = v[i] != v[i] ? v[i] : best;
        }
      }
      stores.put(y + c, best);
      if (kArgmax) stores.put(asFloats(argmax + c), fromBits(at));
    }
  }
}

// Sums in the order of averageWindow.
template <class Stores>
static __attribute__((noinline)) void averageRow(Stores stores, const WholeWindows& given, float* y) {
  constexpr int kSize = WholeWindows::kSize;
  const WholeWindows row = given;
  const float* window = row.x;
  for (int64_t o = 0; o < row.count; ++o, window += row.step, y += row.channels) {
    row.fetch(window);
    for (int64_t c = 0; c < row.channels; c += kLanes) {
      vf total{};
      ANNEAL_UNROLL for (int r = 0; r < kSize; ++r) {
        const float* const x = window + r * row.rowStride + c;
        vf sum = load(x);
        ANNEAL_UNROLL for (int i = 1; i < kSize; ++i) sum += load(x + i * row.channels);
        total += sum;
      }
      stores.put(y + c, total / splat(static_cast<float>(kSize * kSize)));
    }
  }
}

// one(size, window, index of y[n,oy,ox,0]) for a window; size is Constant<kSize> (0: any size). several(windows, index of
// the first) for whole windows side by side.
template <class One, class Several>
static inline void eachWindow(const OpCall& call, const One& one, const Several& several) {
  const auto& p = call.as<Pool2dParams>();
  if (p.n == 0 || p.oh == 0 || p.ow == 0 || p.c == 0) return;
  const float* x = call.input<float>(0);
  const int64_t rowStride = static_cast<int64_t>(p.w) * p.c, imageSize = rowStride * p.h;
  const int64_t taps = smaller(p.kh, p.h) * smaller(p.kw, p.w);
  const bool square = p.kh == p.kw, fetches = p.c >= 16 && p.strideH <= p.kh && operandBytes(call) >= kFetchBytes;
  const int64_t step = static_cast<int64_t>(p.strideW) * p.c;
  eachRow(call, p.n, p.oh, rowWork(p.ow, p.c, taps), [&](int64_t n, int64_t oy) {
    const Range ys = windowRange(oy, p.strideH, p.padTop, p.kh, p.h);
    const int64_t skippedRows = ys.begin - (oy * p.strideH - p.padTop);
    const float* top = x + n * imageSize + ys.begin * rowStride;
    int64_t at = (n * p.oh + oy) * p.ow * p.c;
    const bool whole = square && ys.end - ys.begin == p.kh && p.kh == 2 && p.c % kLanes == 0;
    const int64_t wholeBegin = ceilDiv(p.padLeft, p.strideW);
    const int64_t wholeEnd = smaller(p.ow, (static_cast<int64_t>(p.w) + p.padLeft - p.kw + p.strideW) / p.strideW);
    for (int64_t ox = 0; ox < p.ow; ++ox, at += p.c) {
      if (whole && ox == wholeBegin && wholeEnd > ox) {
        const int64_t count = wholeEnd - ox;
        const float* const first = top + (ox * p.strideW - p.padLeft) * p.c;
        const WholeWindows windows{first, count, p.c, rowStride, step, p.strideH, fetches};
        several(windows, at);
        ox += count - 1;
        at += (count - 1) * p.c;
        continue;
      }
      const Range xs = windowRange(ox, p.strideW, p.padLeft, p.kw, p.w);
      const int64_t rows = ys.end - ys.begin, columns = xs.end - xs.begin;
      const int64_t first = skippedRows * p.kw + xs.begin - (ox * p.strideW - p.padLeft);
      const int64_t items = p.countIncludePad ? static_cast<int64_t>(p.kh) * p.kw : rows * columns;
      const Window window{top + xs.begin * p.c, rows, columns, static_cast<int32_t>(first), static_cast<float>(items)};
      if (square && rows == 2 && columns == 2 && p.kh == 2)
        one(Constant<2>{}, window, at);
      else if (square && rows == 3 && columns == 3 && p.kh == 3)
        one(Constant<3>{}, window, at);
      else
        one(Constant<0>{}, window, at);
    }
  });
}

}  // namespace

void max_pool2d(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  float* y = call.output<float>(0);
  int32_t* argmax = call.nOut > 1 ? call.output<int32_t>(1) : nullptr;
  withPoolStores(call, [&](auto stores) {
    eachWindow(
        call,
        [&](auto size, const Window& window, int64_t at) {
          if (argmax)
            maxWindow<size.count, true>(stores, window, p, y + at, argmax + at);
          else
            maxWindow<size.count, false>(stores, window, p, y + at, nullptr);
        },
        [&](const WholeWindows& windows, int64_t at) {
          if (argmax)
            maxRow<true>(stores, windows, y + at, argmax + at);
          else
            maxRow<false>(stores, windows, y + at, nullptr);
        });
  });
}

void avg_pool2d(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  float* y = call.output<float>(0);
  withPoolStores(call, [&](auto stores) {
    eachWindow(
        call,
        [&](auto size, const Window& window, int64_t at) { averageWindow<size.count>(stores, window, p, y + at); },
        [&](const WholeWindows& windows, int64_t at) { averageRow(stores, windows, y + at); });
  });
}

}  // namespace anneal::ANNEAL_ISA
