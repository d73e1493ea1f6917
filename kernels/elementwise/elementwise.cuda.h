// The arguments of the elementwise kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "elementwise.h"

namespace anneal::cuda {

// Items of a dense output, and where the operands' items of the same place lie. Dimensions that lie one after the other in all
// operands are one.
struct Walk {
  int64_t count;
  uint32_t rank;
  uint32_t dims[kElementwiseRank];
  uint32_t strides[3][kElementwiseRank];
};

// Operands are words: f32 or i32.
struct UnaryArgs {
  Span<const uint32_t> x;
  Span<uint32_t> out;
  UnaryParams params;
};

struct BinaryArgs {
  Span<const uint32_t> a, b;
  Span<uint32_t> out;
  Walk walk;
  uint32_t code, dtype;
  uint32_t scalar;  // the word that stands for an absent operand
  float alpha, beta;
};

struct WhereArgs {
  Span<const uint32_t> condition, a, b;
  Span<uint32_t> out;
  Walk walk;
  uint32_t scalarA, scalarB;
};

// out = f(x), on the words of floats. `x` may be `out`.
class Call;
void launchUnary(const Call& call, const Span<const float>& x, const Span<float>& out, const UnaryParams& params);

// `x` and `out` are bytes.
struct CastArgs {
  Span<const unsigned char> x;
  Span<unsigned char> out;
  CastParams params;
};

struct FillArgs {
  Span<unsigned char> out;
  int64_t count;
  uint32_t word;
  uint32_t itemBytes;  // 1 or 4
};

}  // namespace anneal::cuda
