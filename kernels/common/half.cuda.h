// Operands that are stored as f16, on CUDA: one kernel widens them into scratch memory before an op, the other rounds what it
// wrote (native/backends/cuda/launch.h).
#pragma once

#include "cuda.h"

namespace anneal::cuda {

constexpr int kHalvesPerThread = 8;

struct WidenArgs {
  Span<const uint16_t> from;
  Span<float> to;    // from a multiple of 16 bytes on
  uint32_t aligned;  // whether `from` begins on one, too
};

struct NarrowArgs {
  Span<const float> from;  // from a multiple of 16 bytes on
  Span<uint16_t> to;
  uint32_t aligned;  // whether `to` begins on one, too
};

}  // namespace anneal::cuda
