// Reference of softmax and its backward: rows in double.
#include <cmath>

#include "softmax.h"

namespace anneal {

void softmax_reference(const OpCall& call) {
  const auto& p = call.as<SoftmaxParams>();
  const int64_t cols = p.cols;
  if (cols == 0) return;
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* x = call.input<float>(0) + r * cols;
    float* y = call.output<float>(0) + r * cols;
    double largest = -INFINITY, sum = 0;
    for (int64_t c = 0; c < cols; ++c)
      if (x[c] > largest) largest = x[c];
    for (int64_t c = 0; c < cols; ++c) sum += std::exp(x[c] - largest);
    for (int64_t c = 0; c < cols; ++c) {
      const double shifted = x[c] - largest;
      y[c] = static_cast<float>(p.log != 0 ? shifted - std::log(sum) : std::exp(shifted) / sum);
    }
  }
}

void softmax_backward_reference(const OpCall& call) {
  const auto& p = call.as<SoftmaxParams>();
  const int64_t cols = p.cols;
  if (cols == 0) return;
  for (int64_t r = 0; r < p.rows; ++r) {
    const float* y = call.input<float>(0) + r * cols;
    const float* dy = call.input<float>(1) + r * cols;
    float* dx = call.output<float>(0) + r * cols;
    double sum = 0;
    for (int64_t c = 0; c < cols; ++c) sum += p.log != 0 ? dy[c] : static_cast<double>(dy[c]) * y[c];
    for (int64_t c = 0; c < cols; ++c)
      dx[c] = static_cast<float>(p.log != 0 ? dy[c] - std::exp(static_cast<double>(y[c])) * sum : y[c] * (dy[c] - sum));
  }
}

}  // namespace anneal
