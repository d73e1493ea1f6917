// Gradients of pooling on the CPU: one pass over each operand, sums in registers. Windows side by side scatter, others gather.
#include "rows.h"

namespace anneal::ANNEAL_ISA {
namespace {

using namespace pool;

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

void max_pool2d_backward(const OpCall& call) {
  const float* dy = call.input<float>(0);
  const int32_t* argmax = call.input<int32_t>(1);
  backward<MaxShare>(call, [&](int64_t, int64_t, int64_t at) { return MaxShare{dy + at, argmax + at}; });
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
