// The arguments of the rmsprop kernels on CUDA.
#pragma once

#include "../common/arena_update.cuda.h"
#include "rmsprop.h"

namespace anneal::cuda {

struct RmspropArgs {
  Arena arena;
  Span<const float> grads;
  Span<float> weights, v;
  Span<float> meanGrad, momentum, ema;  // may be absent
  RmspropParams params;
};

}  // namespace anneal::cuda
