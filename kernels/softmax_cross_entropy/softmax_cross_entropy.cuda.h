// The arguments of the softmax_cross_entropy kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "softmax_cross_entropy.h"

namespace anneal::cuda {

// What both ops read of a row: either `indices` or `dense`.
struct CrossEntropyRows {
  Span<const float> logits;
  Span<const int32_t> indices;
  Span<const float> dense;
  Span<const float> classWeights;
  SoftmaxCrossEntropyParams params;
  float keep, spread;  // 1 - e, e / classes
  uint32_t vectors;    // RowWalk
};

// With a sum or mean `rowLoss` is scratch. `weightParts` with the mean only.
struct CrossEntropyArgs {
  CrossEntropyRows rows;
  Span<float> rowLoss, normalizers, weight, dlogits;
  Span<const float> weightParts;
};

struct CrossEntropyBackwardArgs {
  CrossEntropyRows rows;
  Span<const float> normalizers, dLoss, divisor;
  Span<float> dlogits;
};

// row_weights: the sum of the weights of partLength rows, to each of weightParts.
struct RowWeightsArgs {
  CrossEntropyRows rows;
  Span<float> weightParts;
  int64_t partLength;
};

// row_sums: of partLength items, to each of `out`; the last of these launches divides by the sum of weights, where there are parts of it.
struct RowSumsArgs {
  Span<const float> x;
  Span<float> out;
  int64_t partLength;
  Span<const float> weightParts;
  Span<float> divisor;
};

}  // namespace anneal::cuda
