// The oracle of the pooling ops.
#include <cmath>

#include "../../native/core/op.h"
#include "pool2d.h"

namespace anneal {
namespace {

int64_t xIndex(const Pool2dParams& p, int64_t n, int64_t iy, int64_t ix, int64_t c) {
  return ((n * p.h + iy) * p.w + ix) * p.c + c;
}

// Calls f(outputIndex, n, oy, ox, c) for each output, in order.
template <class F> void eachOutput(const Pool2dParams& p, const F& f) {
  int64_t i = 0;
  for (int64_t n = 0; n < p.n && p.c > 0 && p.ow > 0; ++n)
    for (int64_t oy = 0; oy < p.oh; ++oy)
      for (int64_t ox = 0; ox < p.ow; ++ox)
        for (int64_t c = 0; c < p.c; ++c) f(i++, n, oy, ox, c);
}

// Calls f(iy, ix, ky * kw + kx) for each element of the window that lies inside the image.
template <class F> void eachInWindow(const Pool2dParams& p, int64_t oy, int64_t ox, const F& f) {
  for (int64_t ky = 0; ky < p.kh; ++ky)
    for (int64_t kx = 0; kx < p.kw; ++kx) {
      const int64_t iy = oy * p.strideH - p.padTop + ky, ix = ox * p.strideW - p.padLeft + kx;
      if (iy >= 0 && iy < p.h && ix >= 0 && ix < p.w) f(iy, ix, ky * p.kw + kx);
    }
}

double divisor(const Pool2dParams& p, int64_t oy, int64_t ox) {
  if (p.countIncludePad) return static_cast<double>(p.kh) * p.kw;
  double count = 0;
  eachInWindow(p, oy, ox, [&](int64_t, int64_t, int64_t) { count += 1; });
  return count;
}

// dx[i] = sum of f(outputIndex, oy, ox, ky * kw + kx) over the windows that hold element i of the image.
template <class F> void gatherOverImage(const Pool2dParams& p, float* dx, const F& f) {
  int64_t i = 0;
  for (int64_t n = 0; n < p.n && p.c > 0 && p.w > 0; ++n)
    for (int64_t iy = 0; iy < p.h; ++iy)
      for (int64_t ix = 0; ix < p.w; ++ix)
        for (int64_t c = 0; c < p.c; ++c) {
          double total = 0;
          for (int64_t oy = 0; oy < p.oh; ++oy) {
            const int64_t ky = iy - (oy * p.strideH - p.padTop);
            if (ky < 0 || ky >= p.kh) continue;
            for (int64_t ox = 0; ox < p.ow; ++ox) {
              const int64_t kx = ix - (ox * p.strideW - p.padLeft);
              if (kx < 0 || kx >= p.kw) continue;
              total += f(((n * p.oh + oy) * p.ow + ox) * p.c + c, oy, ox, ky * p.kw + kx);
            }
          }
          dx[i++] = static_cast<float>(total);
        }
}

}  // namespace

void max_pool2d_reference(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  const float* x = call.input<float>(0);
  float* y = call.output<float>(0);
  int32_t* argmax = call.nOut > 1 ? call.output<int32_t>(1) : nullptr;
  eachOutput(p, [&](int64_t i, int64_t n, int64_t oy, int64_t ox, int64_t c) {
    float best = 0;
    int64_t at = -1;
    eachInWindow(p, oy, ox, [&](int64_t iy, int64_t ix, int64_t k) {
      const float v = x[xIndex(p, n, iy, ix, c)];
      if (at >= 0 && !(v > best) && !std::isnan(v)) return;
      best = v;
      at = k;
    });
    y[i] = best;
    if (argmax) argmax[i] = static_cast<int32_t>(at);
  });
}

void max_pool2d_backward_reference(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  const float* dy = call.input<float>(0);
  const int32_t* argmax = call.input<int32_t>(1);
  float* dx = call.output<float>(0);
  gatherOverImage(p, dx, [&](int64_t i, int64_t, int64_t, int64_t k) -> double { return argmax[i] == k ? dy[i] : 0; });
}

void avg_pool2d_reference(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  const float* x = call.input<float>(0);
  float* y = call.output<float>(0);
  eachOutput(p, [&](int64_t i, int64_t n, int64_t oy, int64_t ox, int64_t c) {
    double total = 0;
    eachInWindow(p, oy, ox, [&](int64_t iy, int64_t ix, int64_t) { total += x[xIndex(p, n, iy, ix, c)]; });
    y[i] = static_cast<float>(total / divisor(p, oy, ox));
  });
}

void avg_pool2d_backward_reference(const OpCall& call) {
  const auto& p = call.as<Pool2dParams>();
  const float* dy = call.input<float>(0);
  float* dx = call.output<float>(0);
  gatherOverImage(p, dx, [&](int64_t i, int64_t oy, int64_t ox, int64_t) { return dy[i] / divisor(p, oy, ox); });
}

}  // namespace anneal
