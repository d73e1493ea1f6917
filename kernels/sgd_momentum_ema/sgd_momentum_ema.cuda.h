// The arguments of the sgd_momentum_ema kernels on CUDA.
#pragma once

#include "../common/arena_update.cuda.h"
#include "sgd_momentum_ema.h"

namespace anneal::cuda {

struct SgdArgs {
  Arena arena;
  Span<const float> grads;
  Span<float> weights;
  Span<float> momentum, ema;  // may be absent
  SgdMomentumEmaParams params;
};

}  // namespace anneal::cuda
