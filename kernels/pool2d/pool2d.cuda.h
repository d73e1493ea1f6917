// The arguments of the pooling kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "pool2d.h"

namespace anneal::cuda {

constexpr uint32_t kPoolThreads = 128;

struct PoolArgs {
  Span<const float> x;
  Span<float> y;
  Span<int32_t> argmax;  // may be absent
  Pool2dParams params;
};

struct PoolBackwardArgs {
  Span<const float> dy;
  Span<const int32_t> argmax;  // absent for the mean
  Span<float> dx;
  Pool2dParams params;
};

}  // namespace anneal::cuda
