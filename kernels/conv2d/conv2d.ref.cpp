// The oracle of the convolutions: the definitions, in double.
#include <vector>

#include "../common/activation.h"
#include "conv2d.h"

namespace anneal {
namespace {

// A place in an image [N,H,W,C], or outside of it, where it holds 0: so a NaN it is multiplied with stays one.
struct Image {
  const float* data;
  int64_t h, w, c;

  double operator()(int64_t n, int64_t i, int64_t j, int64_t channel) const {
    if (i < 0 || i >= h || j < 0 || j >= w) return 0;
    return static_cast<double>(data[((n * h + i) * w + j) * c + channel]);
  }
};

int64_t weightIndex(const Conv2dParams& p, int64_t kh, int64_t kw, int64_t c, int64_t o) {
  return ((kh * p.kw + kw) * (p.c / p.groups) + c) * p.oc + o;
}

// Calls f(n, i, j, kh, kw) for each tap of each output position.
template <class F> void forEachTap(const Conv2dParams& p, const F& f) {
  for (int64_t n = 0; n < p.n; ++n)
    for (int64_t i = 0; i < p.oh; ++i)
      for (int64_t j = 0; j < p.ow; ++j)
        for (int64_t kh = 0; kh < p.kh; ++kh)
          for (int64_t kw = 0; kw < p.kw; ++kw) f(n, i, j, kh, kw);
}

// Calls f(x there, weight index, output channel) for the window's pixel under a tap.
template <class F>
void atTap(const Conv2dParams& p, const Image& x, int64_t n, int64_t i, int64_t j, int64_t kh, int64_t kw, const F& f) {
  const int64_t cg = p.c / p.groups, og = p.oc / p.groups;
  const int64_t h = i * p.strideH + kh * p.dilationH - p.padTop, w = j * p.strideW + kw * p.dilationW - p.padLeft;
  for (int64_t c = 0; c < cg; ++c)
    for (int64_t o = 0; o < p.oc; ++o) f(x(n, h, w, o / og * cg + c), weightIndex(p, kh, kw, c, o), o);
}

void storeAll(const std::vector<double>& sums, float* to) {
  for (size_t i = 0; i < sums.size(); ++i) to[i] = static_cast<float>(sums[i]);
}

size_t sizeOf(int64_t a, int64_t b, int64_t c, int64_t d) { return static_cast<size_t>(a * b * c * d); }

}  // namespace

void conv2d_reference(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const Image x{call.input<float>(0), p.h, p.w, p.c};
  const float* w = call.input<float>(1);
  const float* bias = call.nIn > 2 ? call.input<float>(2) : nullptr;
  std::vector<double> y(sizeOf(p.n, p.oh, p.ow, p.oc));
  forEachTap(p, [&](int64_t n, int64_t i, int64_t j, int64_t kh, int64_t kw) {
    const int64_t pixel = ((n * p.oh + i) * p.ow + j) * p.oc;
    atTap(p, x, n, i, j, kh, kw, [&](double value, int64_t iw, int64_t o) { y[pixel + o] += value * w[iw]; });
  });
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = activate(y[i] + (bias == nullptr ? 0 : bias[i % p.oc]), static_cast<Activation>(p.activation));
  storeAll(y, call.output<float>(0));
}

void conv2d_backward_data_reference(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const Image dy{call.input<float>(0), p.oh, p.ow, p.oc};
  const float* w = call.input<float>(1);
  const int64_t cg = p.c / p.groups, og = p.oc / p.groups;
  std::vector<double> dx(sizeOf(p.n, p.h, p.w, p.c));
  const bool empty = p.oh == 0 || p.ow == 0;
  for (int64_t at = 0; at < static_cast<int64_t>(dx.size()) && !empty; ++at) {
    const int64_t c = at % p.c, col = at / p.c % p.w, row = at / p.c / p.w % p.h, n = at / p.c / p.w / p.h;
    for (int64_t kh = 0; kh < p.kh; ++kh)
      for (int64_t kw = 0; kw < p.kw; ++kw) {
        // The output position of which this pixel lies under the tap, if the stride reaches one.
        const int64_t i = row + p.padTop - kh * p.dilationH, j = col + p.padLeft - kw * p.dilationW;
        if (i % p.strideH != 0 || j % p.strideW != 0) continue;
        for (int64_t o = c / cg * og; o < (c / cg + 1) * og; ++o)
          dx[at] += dy(n, i / p.strideH, j / p.strideW, o) * w[weightIndex(p, kh, kw, c % cg, o)];
      }
  }
  storeAll(dx, call.output<float>(0));
}

void conv2d_backward_weight_reference(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const Image x{call.input<float>(0), p.h, p.w, p.c};
  const float* dy = call.input<float>(1);
  const auto start = [&](uint32_t out, size_t size) {
    const float* const held = call.output<float>(out);
    return p.accumulate != 0 ? std::vector<double>(held, held + size) : std::vector<double>(size);
  };
  std::vector<double> dw = start(0, sizeOf(p.kh, p.kw, p.c / p.groups, p.oc));
  forEachTap(p, [&](int64_t n, int64_t i, int64_t j, int64_t kh, int64_t kw) {
    const int64_t pixel = ((n * p.oh + i) * p.ow + j) * p.oc;
    atTap(p, x, n, i, j, kh, kw, [&](double value, int64_t iw, int64_t o) { dw[iw] += value * dy[pixel + o]; });
  });
  storeAll(dw, call.output<float>(0));
  if (call.nOut < 2 || call.out[1].data == nullptr) return;
  std::vector<double> db = start(1, p.oc);
  for (size_t i = 0; i < sizeOf(p.n, p.oh, p.ow, p.oc); ++i) db[i % p.oc] += dy[i];
  storeAll(db, call.output<float>(1));
}

}  // namespace anneal
