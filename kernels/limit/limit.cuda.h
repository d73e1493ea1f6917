// The arguments of the limit kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "limit.h"

namespace anneal::cuda {

struct LimitArgs {
  Span<const float> x, y;
  Span<float> out, second, third, fourth;
  LimitParams params;
  uint32_t fours;   // by vectors of four
  float half, one;  // of fma, which no compiler may know
};

}  // namespace anneal::cuda
