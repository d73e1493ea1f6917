// The arguments of the layer_norm kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "layer_norm.h"

namespace anneal::cuda {

struct LayerNormArgs {
  Span<const float> x, gamma, beta;
  Span<float> y, mean, rstd;
  LayerNormParams params;
  uint32_t vectors;  // RowWalk
};

// Block b takes `partRows` rows from b * partRows on. Where `partial` [parts, 2, cols] is there it gets the block's sums for dgamma and dbeta.
struct LayerNormBackwardArgs {
  Span<const float> dy, x, gamma, mean, rstd;
  Span<float> dx, partial;
  LayerNormBackwardParams params;
  int64_t partRows;
  uint32_t vectors;
};

// dgamma and dbeta of the sums of `parts` blocks.
struct LayerNormFoldArgs {
  Span<const float> partial;
  Span<float> dgamma, dbeta;
  int64_t cols;
  uint32_t parts;
};

}  // namespace anneal::cuda
