// The arguments of the adam kernels on CUDA.
#pragma once

#include "../common/arena_update.cuda.h"
#include "adam.h"

namespace anneal::cuda {

struct AdamArgs {
  Arena arena;
  Span<const float> grads;
  Span<float> weights, m, v;
  Span<float> vMax, ema;  // may be absent
  AdamParams params;
};

}  // namespace anneal::cuda
