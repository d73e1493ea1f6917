// The loop of each unary and binary function over dense or single-valued operands. Whoever runs one over a piece of an
// operand that starts at a multiple of kLanes gets the bits that the whole has there.
#pragma once

#include "../common/simd.h"
#include "elementwise.h"

namespace anneal::ANNEAL_ISA {

struct Scalars {
  float alpha, beta;
  int32_t intAlpha, intBeta;
  bool streams;  // the output goes past the caches where it starts on a vector's boundary
};

// Operands are 4-byte items whatever their type; `steps` are 1 (dense) or 0 (one value for all). `out` may be an operand.
using UnaryLoop = void (*)(const Scalars& s, const int32_t* x, int32_t* out, int64_t n);
using BinaryLoop = void (*)(const Scalars& s, const int32_t* const* in, const int* steps, int32_t* out, int64_t n);

UnaryLoop floatUnaryLoop(UnaryCode code, const Scalars& constants);
UnaryLoop integerUnaryLoop(UnaryCode code);
BinaryLoop floatBinaryLoop(BinaryCode code);
BinaryLoop integerBinaryLoop(BinaryCode code);

}  // namespace anneal::ANNEAL_ISA
