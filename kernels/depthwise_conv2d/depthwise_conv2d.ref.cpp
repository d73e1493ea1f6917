// The oracle of the depthwise convolutions.
#include "../../native/core/op.h"
#include "../common/activation.h"
#include "depthwise_conv2d.h"

namespace anneal {
namespace {

using Params = DepthwiseConv2dParams;

// Calls f(iy, ix) with the image position that tap (ky, kx) of output (oy, ox) reads, if it lies in the image.
template <class F> void atTap(const Params& p, int64_t oy, int64_t ox, int64_t ky, int64_t kx, const F& f) {
  const int64_t iy = oy * p.strideH - p.padTop + ky * p.dilationH, ix = ox * p.strideW - p.padLeft + kx * p.dilationW;
  if (iy >= 0 && iy < p.h && ix >= 0 && ix < p.w) f(iy, ix);
}

int64_t xIndex(const Params& p, int64_t n, int64_t iy, int64_t ix, int64_t c) {
  return ((n * p.h + iy) * p.w + ix) * p.c + c;
}
int64_t yIndex(const Params& p, int64_t n, int64_t oy, int64_t ox, int64_t k) {
  return ((n * p.oh + oy) * p.ow + ox) * p.c * p.m + k;
}

}  // namespace

void depthwise_conv2d_reference(const OpCall& call) {
  const auto& p = call.as<Params>();
  const float* x = call.input<float>(0);
  const float* w = call.input<float>(1);
  const float* bias = call.nIn > 2 ? call.input<float>(2) : nullptr;
  float* y = call.output<float>(0);
  const int64_t channels = static_cast<int64_t>(p.c) * p.m;
  if (channels == 0 || p.ow == 0) return;
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t oy = 0; oy < p.oh; ++oy)
      for (int64_t ox = 0; ox < p.ow; ++ox)
        for (int64_t k = 0; k < channels; ++k) {
          double total = bias ? bias[k] : 0;
          for (int64_t ky = 0; ky < p.kh; ++ky)
            for (int64_t kx = 0; kx < p.kw; ++kx)
              atTap(p, oy, ox, ky, kx, [&](int64_t iy, int64_t ix) {
                total += static_cast<double>(x[xIndex(p, n, iy, ix, k / p.m)]) * w[(ky * p.kw + kx) * channels + k];
              });
          y[yIndex(p, n, oy, ox, k)] = static_cast<float>(activate(total, static_cast<Activation>(p.activation)));
        }
}

void depthwise_conv2d_backward_data_reference(const OpCall& call) {
  const auto& p = call.as<Params>();
  const float* dy = call.input<float>(0);
  const float* w = call.input<float>(1);
  float* dx = call.output<float>(0);
  const int64_t channels = static_cast<int64_t>(p.c) * p.m;
  if (channels == 0 || p.w == 0) return;
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t iy = 0; iy < p.h; ++iy)
      for (int64_t ix = 0; ix < p.w; ++ix)
        for (int64_t c = 0; c < p.c; ++c) {
          double total = 0;
          for (int64_t ky = 0; ky < p.kh; ++ky)
            for (int64_t kx = 0; kx < p.kw; ++kx) {
              const int64_t top = iy + p.padTop - ky * p.dilationH, left = ix + p.padLeft - kx * p.dilationW;
              if (top < 0 || top % p.strideH || left < 0 || left % p.strideW) continue;
              const int64_t oy = top / p.strideH, ox = left / p.strideW;
              if (oy >= p.oh || ox >= p.ow) continue;
              for (int64_t k = c * p.m; k < (c + 1) * p.m; ++k)
                total += static_cast<double>(dy[yIndex(p, n, oy, ox, k)]) * w[(ky * p.kw + kx) * channels + k];
            }
          dx[xIndex(p, n, iy, ix, c)] = static_cast<float>(total);
        }
}

void depthwise_conv2d_backward_weight_reference(const OpCall& call) {
  const auto& p = call.as<Params>();
  const float* x = call.input<float>(0);
  const float* dy = call.input<float>(1);
  float* dw = call.output<float>(0);
  float* dbias = call.nOut > 1 ? call.output<float>(1) : nullptr;
  const int64_t channels = static_cast<int64_t>(p.c) * p.m;
  if (channels == 0) return;
  // Calls f(n, oy, ox) for each output position.
  const auto eachPosition = [&](const auto& f) {
    for (int64_t n = 0; n < p.n && p.ow > 0; ++n)
      for (int64_t oy = 0; oy < p.oh; ++oy)
        for (int64_t ox = 0; ox < p.ow; ++ox) f(n, oy, ox);
  };
  for (int64_t ky = 0; ky < p.kh; ++ky)
    for (int64_t kx = 0; kx < p.kw; ++kx)
      for (int64_t k = 0; k < channels; ++k) {
        double total = 0;
        eachPosition([&](int64_t n, int64_t oy, int64_t ox) {
          atTap(p, oy, ox, ky, kx, [&](int64_t iy, int64_t ix) {
            total += static_cast<double>(x[xIndex(p, n, iy, ix, k / p.m)]) * dy[yIndex(p, n, oy, ox, k)];
          });
        });
        dw[(ky * p.kw + kx) * channels + k] = static_cast<float>(total);
      }
  if (!dbias) return;
  for (int64_t k = 0; k < channels; ++k) {
    double total = 0;
    eachPosition([&](int64_t n, int64_t oy, int64_t ox) { total += dy[yIndex(p, n, oy, ox, k)]; });
    dbias[k] = static_cast<float>(total);
  }
}

}  // namespace anneal
