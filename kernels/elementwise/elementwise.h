// Elementwise ops. All tensors are dense; f32, i32 (wrapping arithmetic) and, for cast and fill, u8.
//
//   unary   out[i] = f(x[i])                                in [x], out [out], `count` items
//   binary  out[i...] = f(a[i . strideA], b[i . strideB])   in [a?, b?], out [out] dense over dims
//   where   out[i...] = cond[...] != 0 ? a[...] : b[...]    in [cond i32, a?, b?], out [out] dense over dims
//   cast    out[i] = to(x[i]); to f32: scale * x + offset   in [x], out [out], `count` items
//   fill    out[i] = value                                  out [out], `count` items
//
// binary and where broadcast: strides count items and are 0 along a broadcast dimension; at most 6 dimensions.
// An absent a or b is a scalar from the parameters (`scalar` for f32, `intScalar` for i32; one of the two at most).
// The output may be an input itself where the item sizes and, in the broadcasting ops, the dense strides agree;
// any other overlap is an error.
//
// Truth values are i32 0 or 1: comparisons, logical_* , is_nan and is_finite write i32 whatever they read. NaN
// propagates through everything else (sign, clip, maximum and minimum too), relu(NaN) is NaN, and a gradient helper
// lets dy through where its x or y is NaN and the rule is a comparison.
// mod takes the divisor's sign, as in Python. i32: division truncates, division and mod by 0 give 0, pow with a
// negative exponent truncates 1 / a^|b|. cast to an integer truncates toward zero and saturates; NaN gives 0.
//
// Largest errors: see kernels/common/math.h for the functions; +, -, *, /, sqrt, reciprocal are correctly rounded.
// Accumulation: none. Flops: about one a + - * /, 10 to 30 a transcendental. Bytes: each operand once, 4 (u8: 1) an
// item; memory bandwidth binds all but the transcendentals in cache.
#pragma once

#include "../../native/core/op.h"

namespace anneal {

constexpr uint32_t kElementwiseRank = 6;

// Those with an `i32` remark also take dtype i32.
enum class UnaryCode : uint32_t {
  neg,          // -x, i32
  abs,          // |x|, i32
  sign,         // -1, 0 or 1, i32
  square,       // x^2, i32
  sqrt,         // x^(1/2)
  rsqrt,        // x^(-1/2)
  reciprocal,   // 1 / x
  exp,          // e^x
  expm1,        // e^x - 1
  log,          // ln x
  log1p,        // ln(1 + x)
  sin,          // sin x
  cos,          // cos x
  tanh,         // tanh x
  sigmoid,      // 1 / (1 + e^-x)
  relu,         // max(x, 0), i32
  leaky_relu,   // x > 0 ? x : alpha x
  elu,          // x > 0 ? x : alpha (e^x - 1)
  gelu,         // x / 2 (1 + erf(x / sqrt 2))
  gelu_tanh,    // x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
  silu,         // x sigmoid(x)
  softplus,     // ln(1 + e^x)
  floor,        // largest integer <= x
  ceil,         // smallest integer >= x
  round,        // nearest integer, halves to even
  clip,         // alpha <= x <= beta, i32 with intAlpha and intBeta
  logical_not,  // x == 0, i32; writes i32
  is_nan,       // writes i32
  is_finite,    // writes i32
  pow_scalar,   // x^alpha
  affine,       // alpha x + beta, i32 with intAlpha and intBeta
  erf,          // erf x
  count
};

// All take f32; those with an `i32` remark also i32.
enum class BinaryCode : uint32_t {
  add, sub, mul, div, pow,                                             // i32
  maximum, minimum, squared_difference, mod,                           // i32
  equal, not_equal, less, less_equal, greater, greater_equal,          // i32; write i32
  logical_and, logical_or, logical_xor,                                // i32; write i32
  relu_grad,       // (y, dy): y > 0 ? dy : 0
  sigmoid_grad,    // (y, dy): dy y (1 - y)
  tanh_grad,       // (y, dy): dy (1 - y^2)
  abs_grad,        // (x, dy): dy sign(x)
  leaky_relu_grad, // (x, dy): x > 0 ? dy : alpha dy
  elu_grad,        // (x, dy): x > 0 ? dy : alpha dy e^x
  gelu_grad,       // (x, dy)
  gelu_tanh_grad,  // (x, dy)
  silu_grad,       // (x, dy): dy s (1 + x (1 - s)), s = sigmoid(x)
  softplus_grad,   // (x, dy): dy sigmoid(x)
  clip_grad,       // (x, dy): alpha <= x <= beta ? dy : 0
  count
};

// Whether a function gives i32 truth values.
bool givesTruth(UnaryCode code);
bool givesTruth(BinaryCode code);

struct UnaryParams {
  uint32_t code;   // UnaryCode
  uint32_t dtype;  // of x: f32 or i32
  uint32_t count;
  float alpha;
  float beta;
  int32_t intAlpha;
  int32_t intBeta;
};

struct BinaryParams {
  uint32_t code;   // BinaryCode
  uint32_t dtype;  // of a and b: f32 or i32
  uint32_t rank;   // <= 6
  uint32_t dims[kElementwiseRank];
  uint32_t strideA[kElementwiseRank];
  uint32_t strideB[kElementwiseRank];
  float scalar;  // stands for an absent operand
  int32_t intScalar;
  float alpha;
  float beta;
};

struct WhereParams {
  uint32_t dtype;  // of a, b and out: f32 or i32
  uint32_t rank;
  uint32_t dims[kElementwiseRank];
  uint32_t strideCondition[kElementwiseRank];
  uint32_t strideA[kElementwiseRank];
  uint32_t strideB[kElementwiseRank];
  float scalarA;  // each stands for an absent operand; here both may be absent
  float scalarB;
  int32_t intScalarA;
  int32_t intScalarB;
};

struct CastParams {
  uint32_t from;  // DType
  uint32_t to;
  uint32_t count;
  float scale;   // read only when `to` is f32
  float offset;
};

struct FillParams {
  uint32_t dtype;
  uint32_t count;
  float value;       // for f32
  int32_t intValue;  // for i32; for u8 its low byte
};

static_assert(sizeof(WhereParams) <= kMaxParamBytes);

}  // namespace anneal
