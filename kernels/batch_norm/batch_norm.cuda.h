// The arguments of the batch_norm kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "batch_norm.h"

namespace anneal::cuda {

// How a block of 256 threads lies on [rows, channels]: `across` threads (a power of two) side by side, each on 4 channels where `fours`, else
// on one, the rest on other rows; blockIdx.y takes `partRows` rows.
struct BatchNormTile {
  int64_t rows, channels, partRows;
  uint32_t across, fours;
};

// stats [parts, 2, channels]: mean less the first row's, and M2, of each part; found [2, channels]: mean and rstd of all.
struct BatchStatisticsArgs {
  Span<const float> x;
  Span<float> stats, found, mean, rstd, runningMean, runningVar;
  BatchNormTile tile;
  uint32_t parts;
  float eps, momentum;
};

// In training mean and spread are `found`; else the running mean and variance, of which mean and rstd are kept where asked for.
struct NormaliseArgs {
  Span<const float> x, gamma, beta, mean, spread;
  Span<float> y, keptMean, keptRstd;
  BatchNormTile tile;
  uint32_t training;
  float eps;
};

// stats [parts, 2, channels]: sums of dy and of dy xhat of each part; found [2, channels]: both of all, over rows.
struct BatchSumsArgs {
  Span<const float> dy, x, mean, rstd;
  Span<float> stats, found, dgamma, dbeta;
  BatchNormTile tile;
  uint32_t parts;
};

struct InputGradientArgs {
  Span<const float> dy, x, gamma, mean, rstd;
  Span<const float> found;  // absent outside training
  Span<float> dx;
  BatchNormTile tile;
};

}  // namespace anneal::cuda
