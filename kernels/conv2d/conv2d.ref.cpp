// The oracle of the convolutions: the definitions, in double.
#include <vector>

#include "../common/activation.h"
#include "conv2d.h"

namespace anneal {
namespace {

// Calls f(x index, w index, y index) for every product the convolution is made of.
template <class F> void forEachProduct(const Conv2dParams& p, const F& f) {
  const int64_t cg = p.c / p.groups, og = p.oc / p.groups;
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t i = 0; i < p.oh; ++i)
      for (int64_t j = 0; j < p.ow; ++j)
        for (int64_t kh = 0; kh < p.kh; ++kh) {
          const int64_t h = i * p.strideH + kh * p.dilationH - p.padTop;
          if (h < 0 || h >= p.h) continue;
          for (int64_t kw = 0; kw < p.kw; ++kw) {
            const int64_t w = j * p.strideW + kw * p.dilationW - p.padLeft;
            if (w < 0 || w >= p.w) continue;
            for (int64_t c = 0; c < cg; ++c)
              for (int64_t o = 0; o < p.oc; ++o)
                f(((n * p.h + h) * p.w + w) * p.c + o / og * cg + c, ((kh * p.kw + kw) * cg + c) * p.oc + o,
                  ((n * p.oh + i) * p.ow + j) * p.oc + o);
          }
        }
}

void storeAll(const std::vector<double>& sums, float* to) {
  for (size_t i = 0; i < sums.size(); ++i) to[i] = static_cast<float>(sums[i]);
}

size_t sizeOf(int64_t a, int64_t b, int64_t c, int64_t d) { return static_cast<size_t>(a * b * c * d); }

}  // namespace

void conv2d_reference(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const float *x = call.input<float>(0), *w = call.input<float>(1);
  const float* bias = call.nIn > 2 ? call.input<float>(2) : nullptr;
  std::vector<double> y(sizeOf(p.n, p.oh, p.ow, p.oc));
  forEachProduct(p, [&](int64_t ix, int64_t iw, int64_t iy) { y[iy] += static_cast<double>(x[ix]) * w[iw]; });
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = activate(y[i] + (bias == nullptr ? 0 : bias[i % p.oc]), static_cast<Activation>(p.activation));
  storeAll(y, call.output<float>(0));
}

void conv2d_backward_data_reference(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const float *dy = call.input<float>(0), *w = call.input<float>(1);
  std::vector<double> dx(sizeOf(p.n, p.h, p.w, p.c));
  forEachProduct(p, [&](int64_t ix, int64_t iw, int64_t iy) { dx[ix] += static_cast<double>(dy[iy]) * w[iw]; });
  storeAll(dx, call.output<float>(0));
}

void conv2d_backward_weight_reference(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const float *x = call.input<float>(0), *dy = call.input<float>(1);
  std::vector<double> dw(sizeOf(p.kh, p.kw, p.c / p.groups, p.oc)), db(p.oc);
  forEachProduct(p, [&](int64_t ix, int64_t iw, int64_t iy) { dw[iw] += static_cast<double>(x[ix]) * dy[iy]; });
  storeAll(dw, call.output<float>(0));
  if (call.nOut < 2 || call.out[1].data == nullptr) return;
  for (size_t i = 0; i < sizeOf(p.n, p.oh, p.ow, p.oc); ++i) db[i % p.oc] += dy[i];
  storeAll(db, call.output<float>(1));
}

}  // namespace anneal
