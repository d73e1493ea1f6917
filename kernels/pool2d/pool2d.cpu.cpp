// Pooling on the CPU: vectors run over channels, tasks over rows. Memory bound, so one pass over each operand.
#include "../common/parallel.h"
#include "../common/simd.h"
#include "pool2d.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kTaskWork = 1 << 15;  // element visits below which a second thread costs more than it saves

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

// Calls vector(c) for c = 0, kLanes, ... over c < count, the last one moved back to end at `count` (it computes a few
// channels twice, with the same result), or scalar(c) for each c where a vector does not fit at all.
template <class V, class S> static inline void eachChannel(int64_t count, const V& vector, const S& scalar) {
  if (count < kLanes) {
    for (int64_t c = 0; c < count; ++c) scalar(c);
    return;
  }
  for (int64_t c = 0; c + kLanes <= count; c += kLanes) vector(c);
  if (count % kLanes) vector(count - kLanes);
}

// f(n, row) for each row of each image: [0, n * rows), split so that a task has about kTaskWork element visits.
template <class F>
static inline void eachRow(const OpCall& call, int64_t images, int64_t rows, int64_t rowWork, const F& f) {
  const int64_t grain = rowWork >= kTaskWork ? 1 : ceilDiv(kTaskWork, rowWork > 0 ? rowWork : 1);
  parallelRange(call.exec, images * rows, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) f(i / rows, i % rows);
  });
}

// Element visits of one row of outputs (or, for the backward ops, of inputs), saturated well below overflow.
static inline int64_t rowWork(int64_t width, int64_t channels, int64_t taps) {
  const int64_t cap = kTaskWork;
  const int64_t a = width < cap ? width : cap, b = channels < cap ? channels : cap, c = taps < cap ? taps : cap;
  return a * b * c;
}

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// ---- max ----

template <bool kArgmax>
static inline void maxWindow(const float* image, const Pool2dParams& p, Range ys, Range xs, int64_t y0, int64_t x0,
                             float* y, int32_t* argmax) {
  const int64_t channels = p.c, width = p.w, kw = p.kw;
  const int32_t first = static_cast<int32_t>((ys.begin - y0) * kw + xs.begin - x0);
  eachChannel(
      channels,
      [&](int64_t c) {
        vf best = load(image + (ys.begin * width + xs.begin) * channels + c);
        vi at = splati(first);
        for (int64_t iy = ys.begin; iy < ys.end; ++iy) {
          const float* x = image + (iy * width + xs.begin) * channels + c;
          int32_t k = static_cast<int32_t>((iy - y0) * kw + xs.begin - x0);
          for (int64_t ix = xs.begin; ix < xs.end; ++ix, ++k, x += channels) {
            const vf v = load(x);
            const vi take = (v > best) | (v != v);
            best = take ? v : best;
            if (kArgmax) at = take ? splati(k) : at;
          }
        }
        store(y + c, best);
        if (kArgmax) storei(argmax + c, at);
      },
      [&](int64_t c) {
        float best = image[(ys.begin * width + xs.begin) * channels + c];
        int32_t at = first;
        for (int64_t iy = ys.begin; iy < ys.end; ++iy) {
          const float* x = image + (iy * width + xs.begin) * channels + c;
          int32_t k = static_cast<int32_t>((iy - y0) * kw + xs.begin - x0);
          for (int64_t ix = xs.begin; ix < xs.end; ++ix, ++k, x += channels) {
            const bool take = *x > best || *x != *x;
            best = take ? *x : best;
            at = take ? k : at;
          }
        }
        y[c] = best;
        if (kArgmax) argmax[c] = at;
      });
}

// ---- average ----

// Sums the window for `kVectors` vectors of channels at x: each row first, then the rows.
template <int kVectors>
static inline void sumWindow(const float* x, int64_t rows, int64_t columns, int64_t rowStride, int64_t channels,
                             float divisor, float* y) {
  vf total[kVectors] = {};
  for (int64_t r = 0; r < rows; ++r) {
    vf row[kVectors] = {};
    const float* at = x + r * rowStride;
    for (int64_t i = 0; i < columns; ++i, at += channels)
      for (int v = 0; v < kVectors; ++v) row[v] += load(at + v * kLanes);
    for (int v = 0; v < kVectors; ++v) total[v] += row[v];
  }
  for (int v = 0; v < kVectors; ++v) store(y + v * kLanes, total[v] / splat(divisor));
}

static inline void averageWindow(const float* x, int64_t rows, int64_t columns, int64_t rowStride, int64_t channels,
                                 float divisor, float* y) {
  if (channels < kLanes) {
    for (int64_t c = 0; c < channels; ++c) {
      float total = 0;
      for (int64_t r = 0; r < rows; ++r) {
        float row = 0;
        for (int64_t i = 0; i < columns; ++i) row += x[r * rowStride + i * channels + c];
        total += row;
      }
      y[c] = total / divisor;
    }
    return;
  }
  // Four vectors at a time use whole cache lines, which matters where the window is the whole image.
  int64_t c = 0;
  for (; c + 4 * kLanes <= channels; c += 4 * kLanes)
    sumWindow<4>(x + c, rows, columns, rowStride, channels, divisor, y + c);
  for (; c + kLanes <= channels; c += kLanes)
    sumWindow<1>(x + c, rows, columns, rowStride, channels, divisor, y + c);
  if (c < channels) {
    c = channels - kLanes;
    sumWindow<1>(x + c, rows, columns, rowStride, channels, divisor, y + c);
  }
}

static inline float divisor(const Pool2dParams& p, Range ys, Range xs) {
  if (p.countIncludePad) return static_cast<float>(static_cast<int64_t>(p.kh) * p.kw);
  return static_cast<float>((ys.end - ys.begin) * (xs.end - xs.begin));
}

// ---- backward ----

// What window (oy, ox) hands to an element of the image, for the channels from c on.
struct MaxShare {
  const float* dy;
  const int32_t* argmax;
  int32_t place;  // of the element in the window
  vf vector(int64_t c) const { return loadi(argmax + c) == splati(place) ? load(dy + c) : vf{}; }
  float scalar(int64_t c) const { return argmax[c] == place ? dy[c] : 0.0f; }
};
struct AverageShare {
  const float* dy;
  float divisor;
  vf vector(int64_t c) const { return load(dy + c) / splat(divisor); }
  float scalar(int64_t c) const { return dy[c] / divisor; }
};

// dx[n,iy,ix,:] = sum of share(iy, ix, oy, ox, index of dy[n,oy,ox,0]) over the windows that hold (iy, ix), in order.
template <class F> static inline void gatherOverImage(const OpCall& call, float* dx, const F& share) {
  const auto& p = call.as<Pool2dParams>();
  if (p.n == 0 || p.h == 0 || p.w == 0 || p.c == 0) return;
  const int64_t channels = p.c;
  const int64_t taps = (p.kh / p.strideH + 1) * static_cast<int64_t>(p.kw / p.strideW + 1);
  eachRow(call, p.n, p.h, rowWork(p.w, p.c, taps), [&](int64_t n, int64_t iy) {
    float* to = dx + (n * p.h + iy) * p.w * channels;
    const Range oys = windowsOver(iy, p.strideH, p.padTop, p.kh, p.oh);
    WindowsOver oxs{p.strideW, p.padLeft, p.kw, p.ow};
    for (int64_t ix = 0; ix < p.w; ++ix, to += channels) {
      oxs.advanceTo(ix);
      if (oys.begin >= oys.end || oxs.begin >= oxs.end)
        std::memset(to, 0, static_cast<size_t>(channels) * sizeof(float));
      bool first = true;  // the first window stores, the others add
      for (int64_t oy = oys.begin; oy < oys.end; ++oy)
        for (int64_t ox = oxs.begin; ox < oxs.end; ++ox) {
          const auto part = share(iy, ix, oy, ox, ((n * p.oh + oy) * p.ow + ox) * channels);
          int64_t c = 0;
          for (; c + kLanes <= channels; c += kLanes)
            store(to + c, first ? part.vector(c) : load(to + c) + part.vector(c));
          for (; c < channels; ++c) to[c] = first ? part.scalar(c) : to[c] + part.scalar(c);
          first = false;
        }
    }
  });
}

}  // namespace

void max_pool2d(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  if (p.n == 0 || p.oh == 0 || p.ow == 0 || p.c == 0) return;
  const float* x = call.input<float>(0);
  float* y = call.output<float>(0);
  int32_t* argmax = call.nOut > 1 ? call.output<int32_t>(1) : nullptr;
  const int64_t imageSize = static_cast<int64_t>(p.h) * p.w * p.c;
  const int64_t taps = smaller(p.kh, p.h) * smaller(p.kw, p.w);
  eachRow(call, p.n, p.oh, rowWork(p.ow, p.c, taps), [&](int64_t n, int64_t oy) {
    const float* image = x + n * imageSize;
    const int64_t y0 = oy * p.strideH - p.padTop;
    const Range ys = windowRange(oy, p.strideH, p.padTop, p.kh, p.h);
    int64_t at = (n * p.oh + oy) * p.ow * p.c;
    for (int64_t ox = 0; ox < p.ow; ++ox, at += p.c) {
      const int64_t x0 = ox * p.strideW - p.padLeft;
      const Range xs = windowRange(ox, p.strideW, p.padLeft, p.kw, p.w);
      if (argmax)
        maxWindow<true>(image, p, ys, xs, y0, x0, y + at, argmax + at);
      else
        maxWindow<false>(image, p, ys, xs, y0, x0, y + at, nullptr);
    }
  });
}

void max_pool2d_backward(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  const float* dy = call.input<float>(0);
  const int32_t* argmax = call.input<int32_t>(1);
  gatherOverImage(call, call.output<float>(0), [&](int64_t iy, int64_t ix, int64_t oy, int64_t ox, int64_t at) {
    const int64_t ky = iy + p.padTop - oy * p.strideH, kx = ix + p.padLeft - ox * p.strideW;
    return MaxShare{dy + at, argmax + at, static_cast<int32_t>(ky * p.kw + kx)};
  });
}

void avg_pool2d(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  if (p.n == 0 || p.oh == 0 || p.ow == 0 || p.c == 0) return;
  const float* x = call.input<float>(0);
  float* y = call.output<float>(0);
  const int64_t rowStride = static_cast<int64_t>(p.w) * p.c, imageSize = rowStride * p.h;
  const int64_t taps = smaller(p.kh, p.h) * smaller(p.kw, p.w);
  eachRow(call, p.n, p.oh, rowWork(p.ow, p.c, taps), [&](int64_t n, int64_t oy) {
    const Range ys = windowRange(oy, p.strideH, p.padTop, p.kh, p.h);
    float* to = y + (n * p.oh + oy) * p.ow * p.c;
    for (int64_t ox = 0; ox < p.ow; ++ox, to += p.c) {
      const Range xs = windowRange(ox, p.strideW, p.padLeft, p.kw, p.w);
      averageWindow(x + n * imageSize + ys.begin * rowStride + xs.begin * p.c, ys.end - ys.begin, xs.end - xs.begin,
                    rowStride, p.c, divisor(p, ys, xs), to);
    }
  });
}

void avg_pool2d_backward(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  const float* dy = call.input<float>(0);
  gatherOverImage(call, call.output<float>(0), [&](int64_t, int64_t, int64_t oy, int64_t ox, int64_t at) {
    const Range ys = windowRange(oy, p.strideH, p.padTop, p.kh, p.h);
    const Range xs = windowRange(ox, p.strideW, p.padLeft, p.kw, p.w);
    return AverageShare{dy + at, divisor(p, ys, xs)};
  });
}

}  // namespace anneal::ANNEAL_ISA
