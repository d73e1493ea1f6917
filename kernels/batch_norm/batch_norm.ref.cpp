// The oracle of batch normalisation: one channel after another.
#include <cmath>

#include "../../native/core/op.h"
#include "batch_norm.h"

namespace anneal {
namespace {

const float* optionalInput(const OpCall& call, uint32_t i) { return i < call.nIn ? call.input<float>(i) : nullptr; }
float* optionalOutput(const OpCall& call, uint32_t i) { return i < call.nOut ? call.output<float>(i) : nullptr; }

}  // namespace

void batch_norm_reference(const OpCall& call) {
  const auto& p = call.as<BatchNormParams>();
  const float* x = call.input<float>(0);
  const float* gamma = optionalInput(call, 1);
  const float* beta = optionalInput(call, 2);
  float* y = call.output<float>(0);
  float* means = optionalOutput(call, 1);
  float* rstds = optionalOutput(call, 2);
  float* runningMean = optionalOutput(call, 3);
  float* runningVar = optionalOutput(call, 4);
  const int64_t rows = p.rows, channels = p.channels;
  const auto n = static_cast<double>(rows);
  if (rows == 0 && !means && !rstds) return;
  const double keep = 1 - static_cast<double>(p.momentum), take = p.momentum;
  for (int64_t c = 0; c < channels; ++c) {
    double mean = 0, var = 0;
    if (p.training) {
      for (int64_t i = 0; i < rows; ++i) mean += x[i * channels + c] / n;
      for (int64_t i = 0; i < rows; ++i) var += (x[i * channels + c] - mean) * (x[i * channels + c] - mean) / n;
      if (runningMean && rows > 0) runningMean[c] = static_cast<float>(keep * runningMean[c] + take * mean);
      const double unbiased = rows > 1 ? var * n / (n - 1) : var;
      if (runningVar && rows > 0) runningVar[c] = static_cast<float>(keep * runningVar[c] + take * unbiased);
    } else {
      mean = call.input<float>(3)[c];
      var = call.input<float>(4)[c];
    }
    const double rstd = 1 / std::sqrt(var + p.eps);
    for (int64_t i = 0; i < rows; ++i) {
      const double xhat = (x[i * channels + c] - mean) * rstd;
      y[i * channels + c] = static_cast<float>(xhat * (gamma ? gamma[c] : 1) + (beta ? beta[c] : 0));
    }
    if (means) means[c] = static_cast<float>(mean);
    if (rstds) rstds[c] = static_cast<float>(rstd);
  }
}

void batch_norm_backward_reference(const OpCall& call) {
  const auto& p = call.as<BatchNormBackwardParams>();
  const float* dy = call.input<float>(0);
  const float* x = call.input<float>(1);
  const float* gamma = call.input<float>(2);
  const float* mean = call.input<float>(3);
  const float* rstd = call.input<float>(4);
  float* dx = call.output<float>(0);
  float* dgamma = optionalOutput(call, 1);
  float* dbeta = optionalOutput(call, 2);
  const int64_t rows = p.rows, channels = p.channels;
  const auto n = static_cast<double>(rows);
  for (int64_t c = 0; c < channels; ++c) {
    const auto xhat = [&](int64_t i) { return (static_cast<double>(x[i * channels + c]) - mean[c]) * rstd[c]; };
    double product = 0, total = 0;
    for (int64_t i = 0; i < rows; ++i) {
      product += dy[i * channels + c] * xhat(i);
      total += dy[i * channels + c];
    }
    if (dgamma) dgamma[c] = static_cast<float>(product);
    if (dbeta) dbeta[c] = static_cast<float>(total);
    const double scale = (gamma ? gamma[c] : 1.0) * rstd[c];
    for (int64_t i = 0; i < rows; ++i) {
      const double centre = p.training ? total / n + xhat(i) * product / n : 0;
      dx[i * channels + c] = static_cast<float>(scale * (dy[i * channels + c] - centre));
    }
  }
}

}  // namespace anneal
