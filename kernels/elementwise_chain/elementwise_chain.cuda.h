// The arguments of the elementwise_chain kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "elementwise_chain.h"

namespace anneal::cuda {

constexpr uint32_t kChainThreads = 128;
constexpr uint32_t kChainItems = 4;  // a thread

// Where a step finds an operand or leaves its result, other than in a slot.
constexpr uint32_t kScalarOperand = UINT32_MAX, kPreviousResult = UINT32_MAX - 1, kNoSlot = UINT32_MAX;

struct ChainStep {
  uint32_t code;
  uint32_t a, b;    // slots, kScalarOperand or kPreviousResult
  uint32_t slot;    // kNoSlot: only the next step, if any, reads the result
  uint32_t output;  // 1 + the output that takes the result, or 0
  float scalar, alpha, beta;
};

struct ChainArgs {
  Span<const float> in[kChainInputs];  // input i goes to slot i; absent from `inputs` on
  Span<float> out[kChainOutputs];
  int64_t count;
  uint32_t inputs, steps, slots;
  uint32_t single;  // bit i: input i is one item for all
  ChainStep step[kChainSteps];
};

}  // namespace anneal::cuda
