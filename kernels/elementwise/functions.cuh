// The functions of one and of two operands by their codes (elementwise.h), as in elementwise.ref.cpp. The code is the same for all
// threads of a launch, so that a switch costs a few uniform branches where memory is waited for anyway.
#pragma once

#include "../common/cuda.cuh"
#include "elementwise.h"

namespace anneal::cuda {

ANNEAL_GPU uint32_t wordOf(float x) { return __float_as_uint(x); }
ANNEAL_GPU float floatOf(uint32_t word) { return __uint_as_float(word); }
ANNEAL_GPU float notANumber() { return __uint_as_float(0x7fc00000u); }

// The sign of zero and NaN is their own.
ANNEAL_GPU float signOf(float x) { return x != x || x == 0 ? x : copysignf(1.0f, x); }
// (1 + erf(x / sqrt 2)) / 2 by its tail, which keeps digits where erf is near -1.
ANNEAL_GPU float gaussianCdf(float x) { return 0.5f * erfcf(-0.70710678f * x); }
ANNEAL_GPU float sigmoidOf(float x) { return 1.0f / (1.0f + expf(-x)); }
// ln(1 + e^x)
ANNEAL_GPU float softplusOf(float x) { return x != x ? x : (x > 0 ? x : 0.0f) + log1pf(expf(-fabsf(x))); }
ANNEAL_GPU float geluTanhOf(float x) { return tanhf(0.797884561f * (x + 0.044715f * x * x * x)); }

ANNEAL_GPU float moduloOf(float a, float b) {
  const float r = fmodf(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

// body(f) with the function f of a code, which takes f32 and gives a word: whoever has several items decides once for all of them.
template <class Body> ANNEAL_GPU void withUnaryFloat(UnaryCode code, float alpha, float beta, const Body& body) {
  switch (code) {
    case UnaryCode::neg: return body([](float x) { return wordOf(-x); });
    case UnaryCode::abs: return body([](float x) { return wordOf(fabsf(x)); });
    case UnaryCode::sign: return body([](float x) { return wordOf(signOf(x)); });
    case UnaryCode::square: return body([](float x) { return wordOf(x * x); });
    case UnaryCode::sqrt: return body([](float x) { return wordOf(sqrtf(x)); });
    case UnaryCode::rsqrt: return body([](float x) { return wordOf(x == 0 ? copysignf(INFINITY, x) : 1.0f / sqrtf(x)); });
    case UnaryCode::reciprocal: return body([](float x) { return wordOf(1.0f / x); });
    case UnaryCode::exp: return body([](float x) { return wordOf(expf(x)); });
    case UnaryCode::expm1: return body([](float x) { return wordOf(expm1f(x)); });
    case UnaryCode::log: return body([](float x) { return wordOf(logf(x)); });
    case UnaryCode::log1p: return body([](float x) { return wordOf(log1pf(x)); });
    case UnaryCode::sin: return body([](float x) { return wordOf(sinf(x)); });
    case UnaryCode::cos: return body([](float x) { return wordOf(cosf(x)); });
    case UnaryCode::tanh: return body([](float x) { return wordOf(tanhf(x)); });
    case UnaryCode::sigmoid: return body([](float x) { return wordOf(sigmoidOf(x)); });
    case UnaryCode::relu: return body([](float x) { return wordOf(x < 0 ? 0.0f : x); });
    case UnaryCode::leaky_relu: return body([=](float x) { return wordOf(x > 0 ? x : alpha * x); });
    case UnaryCode::elu: return body([=](float x) { return wordOf(x > 0 ? x : alpha * expm1f(x)); });
    case UnaryCode::gelu: return body([](float x) { return wordOf(x * gaussianCdf(x)); });
    case UnaryCode::gelu_tanh: return body([](float x) { return wordOf(0.5f * x * (1.0f + geluTanhOf(x))); });
    case UnaryCode::silu: return body([](float x) { return wordOf(x * sigmoidOf(x)); });
    case UnaryCode::softplus: return body([](float x) { return wordOf(softplusOf(x)); });
    case UnaryCode::floor: return body([](float x) { return wordOf(floorf(x)); });
    case UnaryCode::ceil: return body([](float x) { return wordOf(ceilf(x)); });
    case UnaryCode::round: return body([](float x) { return wordOf(rintf(x)); });
    case UnaryCode::clip: return body([=](float x) { return wordOf(x < alpha ? alpha : x > beta ? beta : x); });
    case UnaryCode::logical_not: return body([](float x) { return x == 0; });
    case UnaryCode::is_nan: return body([](float x) { return x != x; });
    case UnaryCode::is_finite: return body([](float x) { return fabsf(x) < INFINITY; });
    case UnaryCode::pow_scalar: return body([=](float x) { return wordOf(powf(x, alpha)); });
    case UnaryCode::affine: return body([=](float x) { return wordOf(alpha * x + beta); });
    case UnaryCode::erf: return body([](float x) { return wordOf(erff(x)); });
    case UnaryCode::count: break;
  }
  body([](float) { return wordOf(notANumber()); });
}

ANNEAL_GPU uint32_t unaryFloat(UnaryCode code, float x, float alpha, float beta) {
  uint32_t word = 0;
  withUnaryFloat(code, alpha, beta, [&](const auto& f) { word = f(x); });
  return word;
}

// Modulo 2^32, so on unsigned words.
ANNEAL_GPU uint32_t unaryInt(UnaryCode code, uint32_t word, int32_t alpha, int32_t beta) {
  const auto x = static_cast<int32_t>(word);
  switch (code) {
    case UnaryCode::neg: return 0u - word;
    case UnaryCode::abs: return x < 0 ? 0u - word : word;
    case UnaryCode::sign: return static_cast<uint32_t>((x > 0) - (x < 0));
    case UnaryCode::square: return word * word;
    case UnaryCode::relu: return x < 0 ? 0u : word;
    case UnaryCode::clip: return static_cast<uint32_t>(x < alpha ? alpha : x > beta ? beta : x);
    case UnaryCode::logical_not: return x == 0;
    case UnaryCode::affine: return static_cast<uint32_t>(alpha) * word + static_cast<uint32_t>(beta);
    default: return 0;
  }
}

template <class Body> ANNEAL_GPU void withBinaryFloat(BinaryCode code, float alpha, float beta, const Body& body) {
  switch (code) {
    case BinaryCode::add: return body([](float a, float b) { return wordOf(a + b); });
    case BinaryCode::sub: return body([](float a, float b) { return wordOf(a - b); });
    case BinaryCode::mul: return body([](float a, float b) { return wordOf(a * b); });
    case BinaryCode::div: return body([](float a, float b) { return wordOf(a / b); });
    case BinaryCode::pow: return body([](float a, float b) { return wordOf(powf(a, b)); });
    case BinaryCode::maximum: return body([](float a, float b) { return wordOf(a > b || a != a ? a : b); });
    case BinaryCode::minimum: return body([](float a, float b) { return wordOf(a < b || a != a ? a : b); });
    case BinaryCode::squared_difference: return body([](float a, float b) { return wordOf((a - b) * (a - b)); });
    case BinaryCode::mod: return body([](float a, float b) { return wordOf(moduloOf(a, b)); });
    case BinaryCode::equal: return body([](float a, float b) { return a == b; });
    case BinaryCode::not_equal: return body([](float a, float b) { return a != b; });
    case BinaryCode::less: return body([](float a, float b) { return a < b; });
    case BinaryCode::less_equal: return body([](float a, float b) { return a <= b; });
    case BinaryCode::greater: return body([](float a, float b) { return a > b; });
    case BinaryCode::greater_equal: return body([](float a, float b) { return a >= b; });
    case BinaryCode::logical_and: return body([](float a, float b) { return a != 0 && b != 0; });
    case BinaryCode::logical_or: return body([](float a, float b) { return a != 0 || b != 0; });
    case BinaryCode::logical_xor: return body([](float a, float b) { return (a != 0) != (b != 0); });
    case BinaryCode::relu_grad: return body([](float a, float b) { return wordOf(a <= 0 ? 0.0f : b); });
    case BinaryCode::sigmoid_grad: return body([](float a, float b) { return wordOf(b * a * (1.0f - a)); });
    case BinaryCode::tanh_grad: return body([](float a, float b) { return wordOf(b * (1.0f - a * a)); });
    case BinaryCode::abs_grad: return body([](float a, float b) { return wordOf(b * signOf(a)); });
    case BinaryCode::leaky_relu_grad: return body([=](float a, float b) { return wordOf(a > 0 ? b : alpha * b); });
    case BinaryCode::elu_grad: return body([=](float a, float b) { return wordOf(a > 0 ? b : alpha * b * expf(a)); });
    case BinaryCode::gelu_grad:
      return body([](float a, float b) { return wordOf(b * (gaussianCdf(a) + a * 0.398942280f * expf(-0.5f * a * a))); });
    case BinaryCode::gelu_tanh_grad:
      return body([](float a, float b) {
        const float t = geluTanhOf(a);
        const float slope = 0.797884561f * (1.0f + 0.134145f * a * a);
        return wordOf(b * (0.5f * (1.0f + t) + 0.5f * a * (1.0f - t * t) * slope));
      });
    case BinaryCode::silu_grad:
      return body([](float a, float b) {
        const float s = sigmoidOf(a);
        return wordOf(b * s * (1.0f + a * (1.0f - s)));
      });
    case BinaryCode::softplus_grad: return body([](float a, float b) { return wordOf(b * sigmoidOf(a)); });
    case BinaryCode::clip_grad: return body([=](float a, float b) { return wordOf(a < alpha || a > beta ? 0.0f : b); });
    case BinaryCode::count: break;
  }
  body([](float, float) { return wordOf(notANumber()); });
}

ANNEAL_GPU uint32_t binaryFloat(BinaryCode code, float a, float b, float alpha, float beta) {
  uint32_t word = 0;
  withBinaryFloat(code, alpha, beta, [&](const auto& f) { word = f(a, b); });
  return word;
}

// a^b modulo 2^32 by squaring; 1 / a^|b| truncated where b < 0.
ANNEAL_GPU uint32_t powInt(int32_t a, int32_t b) {
  if (b < 0) return static_cast<uint32_t>(a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0);
  uint32_t result = 1, base = static_cast<uint32_t>(a);
  for (; b > 0; b /= 2, base *= base)
    if (b % 2 == 1) result *= base;
  return result;
}

ANNEAL_GPU uint32_t binaryInt(BinaryCode code, uint32_t u, uint32_t v) {
  const auto a = static_cast<int32_t>(u), b = static_cast<int32_t>(v);
  switch (code) {
    case BinaryCode::add: return u + v;
    case BinaryCode::sub: return u - v;
    case BinaryCode::mul: return u * v;
    case BinaryCode::div: return b == 0 ? 0u : b == -1 ? 0u - u : static_cast<uint32_t>(a / b);
    case BinaryCode::pow: return powInt(a, b);
    case BinaryCode::maximum: return a > b ? u : v;
    case BinaryCode::minimum: return a < b ? u : v;
    case BinaryCode::squared_difference: return (u - v) * (u - v);
    case BinaryCode::mod: {
      if (b == 0 || b == -1) return 0;
      const int32_t r = a % b;
      return static_cast<uint32_t>(r != 0 && (r < 0) != (b < 0) ? r + b : r);
    }
    case BinaryCode::equal: return a == b;
    case BinaryCode::not_equal: return a != b;
    case BinaryCode::less: return a < b;
    case BinaryCode::less_equal: return a <= b;
    case BinaryCode::greater: return a > b;
    case BinaryCode::greater_equal: return a >= b;
    case BinaryCode::logical_and: return a != 0 && b != 0;
    case BinaryCode::logical_or: return a != 0 || b != 0;
    case BinaryCode::logical_xor: return (a != 0) != (b != 0);
    default: return 0;
  }
}

}  // namespace anneal::cuda
