// Reference of softmax_cross_entropy: rows in double.
#include <cmath>

#include "softmax_cross_entropy.h"

namespace anneal {
namespace {

// The coefficients a_c of -log p_c in the loss of one row.
struct Coefficients {
  const SoftmaxCrossEntropyParams& p;
  const float* weights;
  const int32_t* index;  // one of the two
  const float* dense;

  bool ignored() const { return index != nullptr && *index == p.ignoreIndex; }

  double operator()(int64_t c) const {
    if (ignored()) return 0;
    const double w = weights != nullptr ? weights[c] : 1.0;
    const double smoothing = p.labelSmoothing;
    if (dense != nullptr) return w * ((1 - smoothing) * dense[c] + smoothing / p.classes);
    return w * ((c == *index ? 1 - smoothing : 0) + smoothing / p.classes);
  }
};

Coefficients rowOf(const OpCall& call, uint32_t target, uint32_t weights, int64_t r) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  const float* w = weights < call.nIn ? call.input<float>(weights) : nullptr;
  if (p.dense != 0) return {p, w, nullptr, call.input<float>(target) + r * p.classes};
  const int32_t* index = call.input<int32_t>(target) + r;
  if (*index != p.ignoreIndex && (*index < 0 || static_cast<uint32_t>(*index) >= p.classes))
    raise(Code::range, "expected targets in [0, %u), received %d in row %lld", p.classes, *index,
          static_cast<long long>(r));
  return {p, w, index, nullptr};
}

// d (A p_c - a_c) for one row.
void gradientOf(const Coefficients& coefficient, int64_t classes, const float* x, const float* normalizers, double d,
                float* dlogits) {
  double total = 0;
  for (int64_t c = 0; c < classes; ++c) total += coefficient(c);
  for (int64_t c = 0; c < classes; ++c) {
    const double p = std::exp(x[c] - static_cast<double>(normalizers[0])) * static_cast<double>(normalizers[1]);
    dlogits[c] = static_cast<float>(coefficient.ignored() ? 0 : d * (total * p - coefficient(c)));
  }
}

}  // namespace

void softmax_cross_entropy_reference(const OpCall& call) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  const auto reduction = static_cast<CrossEntropyReduction>(p.reduction);
  double total = 0, divisor = 0;
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = call.input<float>(0) + r * p.classes;
    const Coefficients coefficient = rowOf(call, 1, 2, r);
    double largest = -INFINITY, sum = 0, loss = 0;
    for (int64_t c = 0; c < p.classes; ++c)
      if (x[c] > largest) largest = x[c];
    for (int64_t c = 0; c < p.classes; ++c) sum += std::exp(x[c] - largest);
    for (int64_t c = 0; c < p.classes; ++c) {
      const double a = coefficient(c);
      const bool counts = coefficient.dense != nullptr || p.labelSmoothing > 0 || c == *coefficient.index;
      if (counts && !coefficient.ignored()) loss += a * (std::log(sum) - (x[c] - largest));
    }
    double weight = 1;
    if (coefficient.index != nullptr)
      weight = coefficient.ignored() ? 0 : coefficient.weights != nullptr ? coefficient.weights[*coefficient.index] : 1;
    if (reduction == CrossEntropyReduction::none) call.output<float>(0)[r] = static_cast<float>(loss);
    call.output<float>(1)[2 * r] = static_cast<float>(largest);
    call.output<float>(1)[2 * r + 1] = static_cast<float>(1 / sum);
    call.output<float>(2)[r] = static_cast<float>(weight);
    total += loss;
    divisor += weight;
  }
  if (reduction == CrossEntropyReduction::sum) call.output<float>(0)[0] = static_cast<float>(total);
  if (reduction == CrossEntropyReduction::mean) {
    call.output<float>(0)[0] = static_cast<float>(total / divisor);
    call.output<float>(3)[0] = static_cast<float>(divisor);
  }
  if (call.nOut < 5) return;
  const double d = 1 / static_cast<double>(reduction == CrossEntropyReduction::mean ? static_cast<float>(divisor) : 1.0f);
  for (int64_t r = 0; r < p.rows; ++r)
    gradientOf(rowOf(call, 1, 2, r), p.classes, call.input<float>(0) + r * p.classes, call.output<float>(1) + 2 * r, d,
               call.output<float>(4) + r * p.classes);
}

void softmax_cross_entropy_backward_reference(const OpCall& call) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  const auto reduction = static_cast<CrossEntropyReduction>(p.reduction);
  const double divisor = reduction == CrossEntropyReduction::mean ? call.input<float>(5)[0] : 1;
  for (int64_t r = 0; r < p.rows; ++r) {
    const double dLoss = call.input<float>(4)[reduction == CrossEntropyReduction::none ? r : 0] / divisor;
    gradientOf(rowOf(call, 2, 3, r), p.classes, call.input<float>(0) + r * p.classes, call.input<float>(1) + 2 * r, dLoss,
               call.output<float>(0) + r * p.classes);
  }
}

}  // namespace anneal
