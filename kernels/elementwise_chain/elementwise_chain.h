// Several elementwise functions in one pass over memory: elementwise_chain. For captured plans, whose passes find them
// (src/capture/passes/elementwise_chain.ts).
//
//   for s in [0, steps):  r_s[i] = f_s(a_s[i])  or  f_s(a_s[i], b_s[i]),   i in [0, count)
//   and r_s goes to output store_s - 1 where store_s is not 0
//
// f_s is a function of kernels/elementwise/elementwise.h that takes and gives f32: a UnaryCode, or kBinaryStep + a BinaryCode, with
// the constants alpha_s and beta_s. An operand a_s or b_s is
//
//   0                            scalar_s (of a binary function, and one of its two operands at most)
//   1 .. kChainInputs            input a_s - 1
//   kFirstResult + t,  t < s     r_t
//
// Shapes     Inputs [count], or one item for all where bit i of `single` is set; outputs [count]. All f32, dense.
// Operands   up to 8 inputs, up to 8 outputs. Each is there for a step; no result is stored twice, the last one is stored.
// Overlap    An output may be an input of `count` items itself if no step after the one that is stored there reads that
//            input. Any other overlap of an output with an operand is an error.
// Numbers    The bits of the single ops: the same loops run, over tiles that stay in the L1 cache.
// Edges      count = 0 does nothing.
// Cost       The flops of the steps; each operand once: what the single ops move is saved where a result is not stored or
//            read again. Memory bandwidth binds chains of arithmetic.
#pragma once

#include "../elementwise/elementwise.h"

namespace anneal {

constexpr uint32_t kChainSteps = 8;
constexpr uint32_t kChainInputs = 8;
constexpr uint32_t kChainOutputs = 8;
constexpr uint32_t kBinaryStep = 64;
constexpr uint32_t kFirstResult = 1 + kChainInputs;

struct ElementwiseChainParams {
  uint32_t count;
  uint32_t steps;   // 1 .. kChainSteps
  uint32_t single;  // bit i: input i is one item
  uint32_t code[kChainSteps];
  uint32_t a[kChainSteps];
  uint32_t b[kChainSteps];  // 0 for a unary function
  uint32_t store[kChainSteps];
  float scalar[kChainSteps];
  float alpha[kChainSteps];
  float beta[kChainSteps];
};

static_assert(sizeof(ElementwiseChainParams) <= kMaxParamBytes);
static_assert(static_cast<uint32_t>(UnaryCode::count) <= kBinaryStep, "a unary code must not look like a binary one");
static_assert(kChainInputs + kChainOutputs <= kMaxOperands);

}  // namespace anneal
