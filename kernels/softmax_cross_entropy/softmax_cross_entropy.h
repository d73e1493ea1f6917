// Cross-entropy of softmax(logits) against a target, row by row, with label smoothing e and class weights w (1 where
// absent); PyTorch's semantics, C = classes, p_c = r e^(x_c - m), m = max x, r = 1 / sum e^(x - m):
//
//   target i32 [rows], t:              loss = -(1 - e) w_t log p_t - e / C sum_c w_c log p_c,  weight = w_t
//     t = ignoreIndex:                 loss = 0, weight = 0
//   dense, target f32 [rows, classes]: loss = -sum_c w_c q_c log p_c, q_c = (1 - e) t_c + e / C, weight = 1
//
//   softmax_cross_entropy           in [logits, target, classWeights?],
//                                   out [loss, normalizers [rows, 2], weight [rows], divisor?, dlogits?]
//   softmax_cross_entropy_backward  in [logits, normalizers, target, classWeights?, dLoss, divisor?], out [dlogits]
//     normalizers: m and r of each row
//     with A = the sum of the coefficients of -log p_c and a_c that coefficient: dlogits_c = d (A p_c - a_c)
//
//   reduction  loss, dLoss  loss                              d of a row
//   none       [rows]       of each row                       its dLoss
//   sum        [1]          the sum over rows                 dLoss
//   mean       [1]          that sum / divisor                dLoss / divisor
//
// The forward gives dlogits [rows, classes] for dLoss = 1, where it is there: with a sum or mean, and to the last bit what
// the backward makes of the forward's results. Each exponential is then taken once.
//
// divisor [1] is the sum of weights, there with the mean only; it may be 0, and the mean NaN. Sums over rows are taken in
// double, in blocks of rows cut by shape. The backward's dlogits may be logits itself. A target outside of [0, classes) other than
// ignoreIndex raises E_RANGE; on GPUs, which cannot, the row becomes NaN. No classes: only without rows. The loss is taken from x - max x, so that it keeps its
// precision for large logits. Sums along a row as in softmax.h.
//
// Flops: about 15 an item (the exponential). Bytes: 4 an item forward, 8 backward or both at once; dense targets 4 more.
#pragma once

#include "../../native/core/op.h"

namespace anneal {

enum class CrossEntropyReduction : uint32_t { none, sum, mean };

struct SoftmaxCrossEntropyParams {  // of both ops
  uint32_t rows;
  uint32_t classes;
  uint32_t dense;  // 0 or 1
  float labelSmoothing;
  int32_t ignoreIndex;  // of targets that are not dense
  uint32_t reduction;   // CrossEntropyReduction
};

}  // namespace anneal
