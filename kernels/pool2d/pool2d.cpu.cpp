// Pooling on the CPU: vectors run over channels, tasks over rows. Memory bound, so one pass over each operand: 2x2 and 3x3
// windows have bodies of their own, in which the loops over a window vanish, and backward keeps sums in registers.
#include "../common/parallel.h"
#include "../common/stream.h"
#include "pool2d.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kTaskWork = 1 << 15;  // element visits below which a second thread costs more than it saves

constexpr int64_t kAhead = 2048;              // items from the window that is read to what is fetched for it
constexpr size_t kFetchBytes = size_t{4} << 20;  // of all operands, from which x comes from beyond the second-level caches

struct Range {
  int64_t begin, end;
};

static inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }  // a >= 0

// The part of window `o` inside [0, size), in image coordinates; never empty (the check sees to it).
static inline Range windowRange(int64_t o, int64_t stride, int64_t pad, int64_t window, int64_t size) {
  const int64_t start = o * stride - pad, end = start + window;
  return {start > 0 ? start : 0, end < size ? end : size};
}

// The windows that hold image coordinate i: start(o) <= i < start(o) + window.
static inline Range windowsOver(int64_t i, int64_t stride, int64_t pad, int64_t window, int64_t count) {
  const int64_t at = i + pad, end = at / stride + 1;
  return {at < window ? 0 : (at - window) / stride + 1, end < count ? end : count};
}

// The same i = 0, 1, ...: advanced, not divided anew for each element.
struct WindowsOver {
  int64_t stride, pad, window, count;
  int64_t begin = 0, end = 0;

  void advanceTo(int64_t i) {
    while (end < count && end * stride - pad <= i) ++end;
    while (begin < end && begin * stride - pad + window <= i) ++begin;
  }
};

// A vector of channels, or the part of one that is left where there are fewer channels than lanes.
struct WholeVector {
  vf at(const float* p) const { return load(p); }
  template <class Stores> void put(Stores stores, float* p, vf v) const { stores.put(p, v); }
};
struct PartOfVector {
  int n;
  vf at(const float* p) const { return loadPartial(p, n); }
  template <class Stores> void put(Stores, float* p, vf v) const { storePartial(p, v, n); }
};

// f(lanes, c) for c = 0, kLanes, ... over c < count, the last one moved back to end at `count` (it computes a few channels
// twice, with the same result).
template <class F> static inline void eachChannel(int64_t count, const F& f) {
  if (count < kLanes) return f(PartOfVector{static_cast<int>(count)}, int64_t{0});
  for (int64_t c = 0; c + kLanes <= count; c += kLanes) f(WholeVector{}, c);
  if (count % kLanes) f(WholeVector{}, count - kLanes);
}

// A constant as an argument.
template <int kCount> struct Constant {
  static constexpr int count = kCount;
};

template <class T> static inline float* asFloats(T* p) { return reinterpret_cast<float*>(p); }
template <class T> static inline const float* asFloats(const T* p) { return reinterpret_cast<const float*>(p); }

// f(n, row) for each row of each image: [0, n * rows), split so that a task has about kTaskWork element visits.
template <class F>
static inline void eachRow(const OpCall& call, int64_t images, int64_t rows, int64_t rowWork, const F& f) {
  const int64_t grain = rowWork >= kTaskWork ? 1 : ceilDiv(kTaskWork, rowWork > 0 ? rowWork : 1);
  parallelRange(call.exec, images * rows, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) f(i / rows, i % rows);
    fenceStreams();
  });
}

// Element visits of one row of outputs (or, for the backward ops, of inputs), saturated well below overflow.
static inline int64_t rowWork(int64_t width, int64_t channels, int64_t taps) {
  const int64_t cap = kTaskWork;
  const int64_t a = width < cap ? width : cap, b = channels < cap ? channels : cap, c = taps < cap ? taps : cap;
  return a * b * c;
}

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// f(stores): whether the output, whose vectors start at a multiple of `channels`, goes past the caches.
template <class F> static inline void withPoolStores(const OpCall& call, const F& f) {
  const bool aligned = call.as<Pool2dParams>().c % kLanes == 0 && onBoundary(call.out[0].data) &&
                       (call.nOut < 2 || onBoundary(call.out[1].data));
  withStores(aligned && wantsStreams(call), f);
}

// ---- forward ----

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

// f(size, window, index of y[n,oy,ox,0]) for each window; size is Constant<kSize> (0: any size).
template <class F> static inline void eachWindow(const OpCall& call, const F& f) {
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
    for (int64_t ox = 0; ox < p.ow; ++ox, at += p.c) {
      const Range xs = windowRange(ox, p.strideW, p.padLeft, p.kw, p.w);
      const int64_t rows = ys.end - ys.begin, columns = xs.end - xs.begin;
      const int64_t first = skippedRows * p.kw + xs.begin - (ox * p.strideW - p.padLeft);
      const int64_t items = p.countIncludePad ? static_cast<int64_t>(p.kh) * p.kw : rows * columns;
      const Window window{top + xs.begin * p.c, rows, columns, static_cast<int32_t>(first), static_cast<float>(items)};
      if (fetches)  // what the windows further on are the first to read
        for (int64_t r = rows > p.strideH ? rows - p.strideH : 0; r < rows; ++r)
          for (int64_t i = 0; i < step; i += 16) __builtin_prefetch(window.x + r * rowStride + kAhead + i);
      if (square && rows == 2 && columns == 2 && p.kh == 2)
        f(Constant<2>{}, window, at);
      else if (square && rows == 3 && columns == 3 && p.kh == 3)
        f(Constant<3>{}, window, at);
      else
        f(Constant<0>{}, window, at);
    }
  });
}

// ---- backward ----

// What a window hands to the element at `place` in it: of(load(lanes, c), place) for the channels from c on.
struct MaxShare {
  const float* dy;
  const int32_t* argmax;
  struct Loaded {
    vf dy;
    vi argmax;
  };
  template <class L> Loaded load(L lanes, int64_t c) const { return {lanes.at(dy + c), bits(lanes.at(asFloats(argmax + c)))}; }
  static vf of(const Loaded& w, int32_t place) { return w.argmax == splati(place) ? w.dy : vf{}; }
};
struct AverageShare {
  const float* dy;
  float divisor;
  template <class L> vf load(L lanes, int64_t c) const { return lanes.at(dy + c) / splat(divisor); }
  static vf of(vf share, int32_t) { return share; }
};

// Windows that lie side by side: a window writes its own elements of dx, and zeros stand where there is none.
// share(oy, ox, index of dy[n,oy,ox,0]) gives what a window hands out; kSize as in Window.
template <int kSize, class F> static inline void scatterTiles(const OpCall& call, const F& share) {
  const auto& p = call.as<Pool2dParams>();
  const int64_t channels = p.c, rowStride = p.w * channels, kh = kSize ? kSize : p.kh, kw = kSize ? kSize : p.kw;
  float* const dx = call.output<float>(0);
  const auto clear = [](float* from, const float* to) {
    std::memset(from, 0, static_cast<size_t>(to - from) * sizeof(float));
  };
  withPoolStores(call, [&](auto stores) {
    eachRow(call, p.n, p.oh, rowWork(p.w, p.c, kh), [&](int64_t n, int64_t oy) {
      float* const top = dx + (n * p.h + oy * kh) * rowStride;
      int64_t at = (n * p.oh + oy) * p.ow * channels;
      for (int64_t ox = 0; ox < p.ow; ++ox, at += channels) {
        const auto part = share(oy, ox, at);
        float* const corner = top + ox * kw * channels;
        eachChannel(channels, [&](auto lanes, int64_t c) {
          const auto loaded = part.load(lanes, c);
          ANNEAL_UNROLL for (int64_t r = 0; r < kh; ++r) ANNEAL_UNROLL for (int64_t i = 0; i < kw; ++i)
            lanes.put(stores, corner + r * rowStride + i * channels + c, part.of(loaded, static_cast<int32_t>(r * kw + i)));
        });
      }
      for (int64_t r = 0; r < kh; ++r) clear(top + r * rowStride + p.ow * kw * channels, top + (r + 1) * rowStride);
      if (oy + 1 == p.oh) clear(top + kh * rowStride, dx + (n + 1) * p.h * rowStride);
    });
  });
}

// A window's share, and the place in the window that asks for it.
template <class Share> struct Placed {
  Share share;
  int32_t place;
  template <class L> vf of(L lanes, int64_t c) const { return share.of(share.load(lanes, c), place); }
};

// to[:] = sum of kCount shares, in order.
template <int kCount, class Share, class Stores>
static inline void addShares(Stores stores, const Placed<Share>* shares, int64_t channels, float* to) {
  Placed<Share> local[kCount > 0 ? kCount : 1];
  for (int k = 0; k < kCount; ++k) local[k] = shares[k];
  eachChannel(channels, [&](auto lanes, int64_t c) {
    vf total{};
    ANNEAL_UNROLL for (int k = 0; k < kCount; ++k) total = k == 0 ? local[0].of(lanes, c) : total + local[k].of(lanes, c);
    lanes.put(stores, to + c, total);
  });
}

// dx[n,iy,ix,:] = the sum over the windows oys x oxs, which hold (iy, ix), in order.
template <class Share, class Stores, class F>
static inline void gatherElement(Stores stores, const Pool2dParams& p, const F& share, int64_t n, int64_t iy, int64_t ix,
                                 Range oys, Range oxs, float* to) {
  const int64_t channels = p.c;
  const auto placed = [&](int64_t oy, int64_t ox) {
    const int64_t ky = iy + p.padTop - oy * p.strideH, kx = ix + p.padLeft - ox * p.strideW;
    return Placed<Share>{share(oy, ox, ((n * p.oh + oy) * p.ow + ox) * channels), static_cast<int32_t>(ky * p.kw + kx)};
  };
  const int64_t count = oys.end > oys.begin && oxs.end > oxs.begin ? (oys.end - oys.begin) * (oxs.end - oxs.begin) : 0;
  constexpr int kAtOnce = 4;
  if (count <= kAtOnce) {
    Placed<Share> shares[kAtOnce];
    int k = 0;
    for (int64_t oy = oys.begin; count > 0 && oy < oys.end; ++oy)
      for (int64_t ox = oxs.begin; ox < oxs.end; ++ox) shares[k++] = placed(oy, ox);
    switch (count) {
      case 0: return addShares<0>(stores, shares, channels, to);
      case 1: return addShares<1>(stores, shares, channels, to);
      case 2: return addShares<2>(stores, shares, channels, to);
      case 3: return addShares<3>(stores, shares, channels, to);
      default: return addShares<4>(stores, shares, channels, to);
    }
  }
  bool first = true;  // the first window stores, the others add
  for (int64_t oy = oys.begin; oy < oys.end; ++oy)
    for (int64_t ox = oxs.begin; ox < oxs.end; ++ox, first = false) {
      const Placed<Share> part = placed(oy, ox);
      // Not eachChannel: a last vector that is moved back would add some channels twice.
      int64_t c = 0;
      for (; c + kLanes <= channels; c += kLanes)
        store(to + c, first ? part.of(WholeVector{}, c) : load(to + c) + part.of(WholeVector{}, c));
      if (c == channels) continue;
      const PartOfVector left{static_cast<int>(channels - c)};
      storePartial(to + c, first ? part.of(left, c) : left.at(to + c) + part.of(left, c), left.n);
    }
}

// Any windows, element by element.
template <class Share, class F> static inline void gatherOverImage(const OpCall& call, const F& share) {
  const auto& p = call.as<Pool2dParams>();
  const int64_t taps = (p.kh / p.strideH + 1) * static_cast<int64_t>(p.kw / p.strideW + 1);
  float* const dx = call.output<float>(0);
  withPoolStores(call, [&](auto stores) {
    eachRow(call, p.n, p.h, rowWork(p.w, p.c, taps), [&](int64_t n, int64_t iy) {
      float* to = dx + (n * p.h + iy) * p.w * p.c;
      const Range oys = windowsOver(iy, p.strideH, p.padTop, p.kh, p.oh);
      WindowsOver oxs{p.strideW, p.padLeft, p.kw, p.ow};
      for (int64_t ix = 0; ix < p.w; ++ix, to += p.c) {
        oxs.advanceTo(ix);
        gatherElement<Share>(stores, p, share, n, iy, ix, oys, {oxs.begin, oxs.end}, to);
      }
    });
  });
}

// 3x3 windows at a distance of 2: the element in the middle of window (a, b) begins a 2x2 block of dx that lies in the windows
// (a, b) to (a + 1, b + 1) and in no other, so each of them is loaded once for all four. Blocks at an edge go by element.
template <class Share, class F> static inline void gatherBlocks(const OpCall& call, const F& share) {
  const auto& p = call.as<Pool2dParams>();
  const int64_t channels = p.c, height = p.h, width = p.w, oh = p.oh, ow = p.ow, rowStride = width * channels;
  const int64_t leadY = (p.padTop + 1) % 2, leadX = (p.padLeft + 1) % 2;  // 1: the first blocks begin outside of the image
  float* const dx = call.output<float>(0);
  withPoolStores(call, [&](auto stores) {
    eachRow(call, p.n, (height + leadY + 1) / 2, rowWork(width, channels, 5), [&](int64_t n, int64_t blockRow) {
      const int64_t iy = 2 * blockRow - leadY, a = (iy + p.padTop - 1) / 2;
      const bool whole = iy >= 0 && iy + 1 < height && a + 1 < oh;
      float* const top = dx + (n * height + iy) * rowStride;
      for (int64_t ix = -leadX; ix < width; ix += 2) {
        const int64_t b = (ix + p.padLeft - 1) / 2;
        if (!whole || ix < 0 || ix + 1 >= width || b + 1 >= ow) {
          for (int64_t y = iy < 0 ? 0 : iy; y < smaller(iy + 2, height); ++y)
            for (int64_t x = ix < 0 ? 0 : ix; x < smaller(ix + 2, width); ++x)
              gatherElement<Share>(stores, p, share, n, y, x, windowsOver(y, 2, p.padTop, 3, oh),
                                   windowsOver(x, 2, p.padLeft, 3, ow), top + (y - iy) * rowStride + x * channels);
          continue;
        }
        const int64_t at = ((n * oh + a) * ow + b) * channels;
        const Share corner = share(a, b, at), right = share(a, b + 1, at + channels);
        const Share below = share(a + 1, b, at + ow * channels), across = share(a + 1, b + 1, at + (ow + 1) * channels);
        float* const to = top + ix * channels;
        eachChannel(channels, [&](auto lanes, int64_t c) {
          const auto w0 = corner.load(lanes, c), w1 = right.load(lanes, c);
          const auto w2 = below.load(lanes, c), w3 = across.load(lanes, c);
          lanes.put(stores, to + c, Share::of(w0, 4));
          lanes.put(stores, to + channels + c, Share::of(w0, 5) + Share::of(w1, 3));
          lanes.put(stores, to + rowStride + c, Share::of(w0, 7) + Share::of(w2, 1));
          lanes.put(stores, to + rowStride + channels + c,
                    ((Share::of(w0, 8) + Share::of(w1, 6)) + Share::of(w2, 2)) + Share::of(w3, 0));
        });
      }
    });
  });
}

template <class Share, class F> static inline void backward(const OpCall& call, const F& share) {
  const auto& p = call.as<Pool2dParams>();
  if (p.n == 0 || p.h == 0 || p.w == 0 || p.c == 0) return;
  const bool tiles = p.strideH == p.kh && p.strideW == p.kw && p.padTop == 0 && p.padLeft == 0 &&
                     static_cast<int64_t>(p.oh) * p.kh <= p.h && static_cast<int64_t>(p.ow) * p.kw <= p.w && p.oh > 0;
  const bool blocks = p.kh == 3 && p.kw == 3 && p.strideH == 2 && p.strideW == 2 && p.padTop < 2 && p.padLeft < 2;
  if (blocks) return gatherBlocks<Share>(call, share);
  if (!tiles) return gatherOverImage<Share>(call, share);
  if (p.kh == 2 && p.kw == 2) return scatterTiles<2>(call, share);
  scatterTiles<0>(call, share);
}

}  // namespace

void max_pool2d(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  float* y = call.output<float>(0);
  int32_t* argmax = call.nOut > 1 ? call.output<int32_t>(1) : nullptr;
  withPoolStores(call, [&](auto stores) {
    eachWindow(call, [&](auto size, const Window& window, int64_t at) {
      if (argmax)
        maxWindow<size.count, true>(stores, window, p, y + at, argmax + at);
      else
        maxWindow<size.count, false>(stores, window, p, y + at, nullptr);
    });
  });
}

void max_pool2d_backward(const OpCall& call) {
  const float* dy = call.input<float>(0);
  const int32_t* argmax = call.input<int32_t>(1);
  backward<MaxShare>(call, [&](int64_t, int64_t, int64_t at) { return MaxShare{dy + at, argmax + at}; });
}

void avg_pool2d(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  float* y = call.output<float>(0);
  withPoolStores(call, [&](auto stores) {
    eachWindow(call, [&](auto size, const Window& window, int64_t at) {
      averageWindow<size.count>(stores, window, p, y + at);
    });
  });
}

void avg_pool2d_backward(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  const float* dy = call.input<float>(0);
  backward<AverageShare>(call, [&](int64_t oy, int64_t ox, int64_t at) {
    const Range ys = windowRange(oy, p.strideH, p.padTop, p.kh, p.h);
    const Range xs = windowRange(ox, p.strideW, p.padLeft, p.kw, p.w);
    const int64_t items = (ys.end - ys.begin) * (xs.end - xs.begin);
    return AverageShare{dy + at, static_cast<float>(p.countIncludePad ? static_cast<int64_t>(p.kh) * p.kw : items)};
  });
}

}  // namespace anneal::ANNEAL_ISA
