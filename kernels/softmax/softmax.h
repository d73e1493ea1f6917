// Softmax and log-softmax along the rows of a dense f32 matrix [rows, cols].
//
//   softmax           y = e^(x - m) / s, m = max x, s = sum e^(x - m)     in [x], out [y]
//           log:      y = x - m - ln s
//   softmax_backward  dx = y (dy - sum dy y)                              in [y, dy], out [dx]
//           log:      dx = dy - e^y sum dy
//
// The output may be an input itself, item for item. A row with a NaN, a +inf, or nothing but -inf becomes NaN.
// Sums: vector lanes over at most 4096 items in f32, their totals in double, in an order that follows from `cols`.
//
// Flops: about 15 an item (the exponential). Bytes: 8 an item forward, 12 backward, a row staying in cache between its
// passes.
#pragma once

#include "../../native/core/op.h"

namespace anneal {

struct SoftmaxParams {  // of both ops
  uint32_t rows;
  uint32_t cols;
  uint32_t log;  // 0 or 1
};

}  // namespace anneal
