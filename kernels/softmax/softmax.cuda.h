// The arguments of the softmax kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "softmax.h"

namespace anneal::cuda {

struct SoftmaxArgs {
  Span<const float> x;
  Span<float> y;
  SoftmaxParams params;
  uint32_t vectors;  // RowWalk
};

struct SoftmaxBackwardArgs {
  Span<const float> y, dy;
  Span<float> dx;
  SoftmaxParams params;
  uint32_t vectors;
};

}  // namespace anneal::cuda
