// The oracle of layer normalisation.
#include <cmath>

#include "../../native/core/op.h"
#include "layer_norm.h"

namespace anneal {
namespace {

template <class T> T* optionalOutput(const OpCall& call, uint32_t i) {
  return i < call.nOut ? call.output<T>(i) : nullptr;
}
const float* optionalInput(const OpCall& call, uint32_t i) { return i < call.nIn ? call.input<float>(i) : nullptr; }

}  // namespace

void layer_norm_reference(const OpCall& call) {
  const auto& p = call.as<LayerNormParams>();
  const float* x = call.input<float>(0);
  const float* gamma = optionalInput(call, 1);
  const float* beta = optionalInput(call, 2);
  float* y = call.output<float>(0);
  float* means = optionalOutput<float>(call, 1);
  float* rstds = optionalOutput<float>(call, 2);
  const int64_t cols = p.cols;
  if (cols == 0 && !means && !rstds) return;
  for (int64_t i = 0; i < p.rows; ++i) {
    double total = 0, squares = 0;
    for (int64_t j = 0; j < cols; ++j) total += x[i * cols + j];
    const double mean = cols > 0 ? total / static_cast<double>(cols) : 0;
    for (int64_t j = 0; j < cols; ++j) squares += (x[i * cols + j] - mean) * (x[i * cols + j] - mean);
    const double rstd = 1 / std::sqrt((cols > 0 ? squares / static_cast<double>(cols) : 0) + p.eps);
    for (int64_t j = 0; j < cols; ++j) {
      const double xhat = (x[i * cols + j] - mean) * rstd;
      y[i * cols + j] = static_cast<float>(xhat * (gamma ? gamma[j] : 1) + (beta ? beta[j] : 0));
    }
    if (means) means[i] = static_cast<float>(mean);
    if (rstds) rstds[i] = static_cast<float>(rstd);
  }
}

void layer_norm_backward_reference(const OpCall& call) {
  const auto& p = call.as<LayerNormBackwardParams>();
  const float* dy = call.input<float>(0);
  const float* x = call.input<float>(1);
  const float* gamma = call.input<float>(2);
  const float* mean = call.input<float>(3);
  const float* rstd = call.input<float>(4);
  float* dx = call.output<float>(0);
  float* dgamma = optionalOutput<float>(call, 1);
  float* dbeta = optionalOutput<float>(call, 2);
  const int64_t rows = p.rows, cols = p.cols;
  const auto xhat = [&](int64_t i, int64_t j) { return (static_cast<double>(x[i * cols + j]) - mean[i]) * rstd[i]; };
  // The parameters' gradients first: dx may overwrite dy.
  for (int64_t j = 0; j < cols && (dgamma || dbeta); ++j) {
    double gammaTotal = 0, betaTotal = 0;
    for (int64_t i = 0; i < rows; ++i) {
      gammaTotal += dy[i * cols + j] * xhat(i, j);
      betaTotal += dy[i * cols + j];
    }
    if (dgamma) dgamma[j] = static_cast<float>(gammaTotal);
    if (dbeta) dbeta[j] = static_cast<float>(betaTotal);
  }
  for (int64_t i = 0; i < rows; ++i) {
    const auto g = [&](int64_t j) { return static_cast<double>(dy[i * cols + j]) * (gamma ? gamma[j] : 1); };
    double total = 0, product = 0;
    for (int64_t j = 0; j < cols; ++j) {
      total += g(j);
      product += g(j) * xhat(i, j);
    }
    for (int64_t j = 0; j < cols; ++j)
      dx[i * cols + j] = static_cast<float>(
          rstd[i] * (g(j) - total / static_cast<double>(cols) - xhat(i, j) * product / static_cast<double>(cols)));
  }
}

}  // namespace anneal
