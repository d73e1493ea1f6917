// Layer normalisation of the rows of a matrix: layer_norm, layer_norm_backward.
//
//   mean[i] = sum_j x[i,j] / cols,  rstd[i] = 1 / sqrt(sum_j (x[i,j] - mean[i])^2 / cols + eps)
//   xhat    = (x - mean) * rstd,    y[i,j] = gamma[j] * xhat[i,j] + beta[j]       gamma absent: 1, beta absent: 0
//   backward, with g = dy * gamma:
//     dx[i,j]   = rstd[i] * (g[i,j] - sum_j g / cols - xhat[i,j] * sum_j (g * xhat) / cols)
//     dgamma[j] = sum_i dy[i,j] * xhat[i,j],   dbeta[j] = sum_i dy[i,j]
//
// Shapes     x, y, dy, dx [rows, cols]; gamma, beta, dgamma, dbeta [cols]; mean, rstd [rows]. All f32, dense.
// Operands   layer_norm [x, gamma?, beta?] -> [y, mean?, rstd?]; y may be x itself
//            layer_norm_backward [dy, x, gamma?, mean, rstd] -> [dx, dgamma?, dbeta?]; dx may be dy
// Numbers    f32; the variance is the mean of squared deviations, in a second pass over the row while in cache, so
//            a large mean costs no digits. Sums run in four vectors of lanes, folded in fixed order. dgamma and dbeta
//            are summed in at most 32 chunks of rows fixed by the shape; the chunks are added in order.
// Edges      cols = 0: mean 0, rstd 1 / sqrt(eps). rows = 0: dgamma and dbeta are 0. eps >= 0 and finite.
// Cost       forward 8 flops an element, 8 bytes; backward 14 flops an element, 12 bytes: memory bound.
// Reference  Ba, Kiros, Hinton, "Layer Normalization" (2016); torch.nn.LayerNorm.
#pragma once

#include <cstdint>

namespace anneal {

struct LayerNormParams {
  uint32_t rows, cols;
  float eps;
};

struct LayerNormBackwardParams {
  uint32_t rows, cols;
};

}  // namespace anneal
