// Batch normalisation of an NHWC batch, flattened to [rows, channels]: batch_norm, batch_norm_backward.
//
//   training:  mean[c] = sum_i x[i,c] / rows,   var[c] = sum_i (x[i,c] - mean[c])^2 / rows
//              runningMean = (1 - momentum) * runningMean + momentum * mean
//              runningVar  = (1 - momentum) * runningVar  + momentum * var * rows / (rows - 1)
//   inference: mean, var = runningMean, runningVar, which are inputs then
//   both:      rstd = 1 / sqrt(var + eps),  y[i,c] = (x[i,c] - mean[c]) * rstd[c] * gamma[c] + beta[c]
//   backward, with xhat = (x - mean) * rstd:
//     dbeta[c] = sum_i dy[i,c],   dgamma[c] = sum_i dy[i,c] * xhat[i,c]
//     training:   dx = gamma * rstd * (dy - dbeta / rows - xhat * dgamma / rows)
//     inference:  dx = gamma * rstd * dy                                   (mean and rstd are constants)
//
// Shapes     x, y, dy, dx [rows, channels]; all others [channels]. f32, dense, any 4-byte alignment.
// Operands   batch_norm  training:  [x, gamma?, beta?] -> [y, mean?, rstd?, runningMean?, runningVar?]
//                        inference: [x, gamma?, beta?, runningMean, runningVar] -> [y, mean?, rstd?]
//            batch_norm_backward [dy, x, gamma?, mean, rstd] -> [dx, dgamma?, dbeta?]
//            Training updates runningMean and runningVar. gamma absent: 1, beta absent: 0. y may be x, dx may be dy.
// Blocking   Statistics: blocks of 128 rows and 4 vectors of channels, which stay in L1 for two passes: the sum of a
//            block and its squared deviations from its own mean, in registers. Blocks are then combined in double, in
//            order, by Chan's formula, sum of M2_b + n_b * (mean_b - mean)^2, so a large mean costs no digits.
//            The backward sums use the same blocks. A second pass over x writes the result.
// Numbers    f32 within a block, double across blocks; mean and rstd rounded to f32 once.
// Edges      rows = 1: the unbiased variance has no meaning; the running variance takes the biased one. rows = 0: the
//            running statistics stay, mean = 0, rstd = 1 / sqrt(eps). channels = 0.
// Cost       training 12 bytes an element (x twice, y), 7 flops; backward 20 bytes, 10 flops: memory bound.
// Reference  Ioffe, Szegedy (2015); Chan, Golub, LeVeque (1983); torch.nn.BatchNorm2d (momentum, unbiased running_var).
#pragma once

#include <cstdint>

namespace anneal {

struct BatchNormParams {
  uint32_t rows, channels;
  uint32_t training;  // 0 or 1
  float eps, momentum;
};

struct BatchNormBackwardParams {
  uint32_t rows, channels;
  uint32_t training;  // 0 or 1
};

}  // namespace anneal
