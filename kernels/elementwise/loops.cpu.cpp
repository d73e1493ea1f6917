// The table of lane-wise functions, with a loop around each: see loops.h.
#include "loops.h"

#include "functions.h"

namespace anneal::ANNEAL_ISA {
namespace {

// x^alpha where multiplying is as exact as the C library.
UnaryLoop powerLoop(float alpha) {
  if (alpha == 2.0f) return unaryLoop<vf>([](vf x, const Scalars&) { return x * x; });
  if (alpha == 3.0f) return unaryLoop<vf>([](vf x, const Scalars&) { return x * x * x; });
  if (alpha == -1.0f) return unaryLoop<vf>([](vf x, const Scalars&) { return one() / x; });
  return unaryLoop<vf>([](vf x, const Scalars& s) {
    return lanewise(x, [&](float v) { return __builtin_powf(v, s.alpha); });
  });
}

}  // namespace

UnaryLoop floatUnaryLoop(UnaryCode code, const Scalars& constants) {
  switch (code) {
    case UnaryCode::neg: return unaryLoop<vf>([](vf x, const Scalars&) { return -x; });
    case UnaryCode::abs: return unaryLoop<vf>([](vf x, const Scalars&) { return absolute(x); });
    case UnaryCode::sign: return unaryLoop<vf>([](vf x, const Scalars&) { return sign(x); });
    case UnaryCode::square: return unaryLoop<vf>([](vf x, const Scalars&) { return x * x; });
    case UnaryCode::sqrt: return unaryLoop<vf>([](vf x, const Scalars&) { return squareRoot(x); });
    case UnaryCode::rsqrt: return unaryLoop<vf>([](vf x, const Scalars&) { return one() / squareRoot(x); });
    case UnaryCode::reciprocal: return unaryLoop<vf>([](vf x, const Scalars&) { return one() / x; });
    case UnaryCode::exp: return unaryLoop<vf>([](vf x, const Scalars&) { return exp(x); });
    case UnaryCode::expm1: return unaryLoop<vf>([](vf x, const Scalars&) { return expm1(x); });
    case UnaryCode::log: return unaryLoop<vf>([](vf x, const Scalars&) { return log(x); });
    case UnaryCode::log1p: return unaryLoop<vf>([](vf x, const Scalars&) { return log1p(x); });
    case UnaryCode::sin:
      return unaryLoop<vf>([](vf x, const Scalars&) { return lanewise(x, [](float v) { return __builtin_sinf(v); }); });
    case UnaryCode::cos:
      return unaryLoop<vf>([](vf x, const Scalars&) { return lanewise(x, [](float v) { return __builtin_cosf(v); }); });
    case UnaryCode::tanh: return unaryLoop<vf>([](vf x, const Scalars&) { return tanh(x); });
    case UnaryCode::sigmoid: return unaryLoop<vf>([](vf x, const Scalars&) { return sigmoid(x); });
    case UnaryCode::relu: return unaryLoop<vf>([](vf x, const Scalars&) { return x < zero() ? zero() : x; });
    case UnaryCode::leaky_relu:
      return unaryLoop<vf>([](vf x, const Scalars& s) { return x > zero() ? x : splat(s.alpha) * x; });
    case UnaryCode::elu:
      return unaryLoop<vf>([](vf x, const Scalars& s) { return x > zero() ? x : splat(s.alpha) * expm1(x); });
    case UnaryCode::gelu: return unaryLoop<vf>([](vf x, const Scalars&) { return x * gaussianCdf(x); });
    case UnaryCode::gelu_tanh:
      return unaryLoop<vf>([](vf x, const Scalars&) { return splat(0.5f) * x * (one() + geluTanhOf(x)); });
    case UnaryCode::silu: return unaryLoop<vf>([](vf x, const Scalars&) { return x * sigmoid(x); });
    case UnaryCode::softplus: return unaryLoop<vf>([](vf x, const Scalars&) { return softplus(x); });
    case UnaryCode::floor:
      return unaryLoop<vf>([](vf x, const Scalars&) { return lanewise(x, [](float v) { return __builtin_floorf(v); }); });
    case UnaryCode::ceil:
      return unaryLoop<vf>([](vf x, const Scalars&) { return lanewise(x, [](float v) { return __builtin_ceilf(v); }); });
    case UnaryCode::round:
      return unaryLoop<vf>([](vf x, const Scalars&) { return lanewise(x, [](float v) { return __builtin_rintf(v); }); });
    case UnaryCode::clip:
      return unaryLoop<vf>([](vf x, const Scalars& s) {
        const vf low = splat(s.alpha), high = splat(s.beta);
        return x < low ? low : (x > high ? high : x);
      });
    case UnaryCode::logical_not: return unaryLoop<vf>([](vf x, const Scalars&) { return truth(x == zero()); });
    case UnaryCode::is_nan: return unaryLoop<vf>([](vf x, const Scalars&) { return truth(x != x); });
    case UnaryCode::is_finite:
      return unaryLoop<vf>([](vf x, const Scalars&) { return truth(absolute(x) < splat(__builtin_inff())); });
    case UnaryCode::pow_scalar: return powerLoop(constants.alpha);
    case UnaryCode::affine:
      return unaryLoop<vf>([](vf x, const Scalars& s) { return splat(s.alpha) * x + splat(s.beta); });
    case UnaryCode::erf: return unaryLoop<vf>([](vf x, const Scalars&) { return erf(x); });
    case UnaryCode::count: break;
  }
  raise(Code::internal, "no body for code %u", static_cast<unsigned>(code));
}

UnaryLoop integerUnaryLoop(UnaryCode code) {
  switch (code) {
    case UnaryCode::neg: return unaryLoop<vi>([](vi x, const Scalars&) { return wrapping(-modular(x)); });
    case UnaryCode::abs:
      return unaryLoop<vi>([](vi x, const Scalars&) { return x < splati(0) ? wrapping(-modular(x)) : x; });
    case UnaryCode::sign: return unaryLoop<vi>([](vi x, const Scalars&) { return (x < splati(0)) - (x > splati(0)); });
    case UnaryCode::square:
      return unaryLoop<vi>([](vi x, const Scalars&) { return wrapping(modular(x) * modular(x)); });
    case UnaryCode::relu: return unaryLoop<vi>([](vi x, const Scalars&) { return x < splati(0) ? splati(0) : x; });
    case UnaryCode::clip:
      return unaryLoop<vi>([](vi x, const Scalars& s) {
        const vi low = splati(s.intAlpha), high = splati(s.intBeta);
        return x < low ? low : (x > high ? high : x);
      });
    case UnaryCode::logical_not: return unaryLoop<vi>([](vi x, const Scalars&) { return truth(x == splati(0)); });
    case UnaryCode::affine:
      return unaryLoop<vi>([](vi x, const Scalars& s) {
        return wrapping(modular(splati(s.intAlpha)) * modular(x) + modular(splati(s.intBeta)));
      });
    default: raise(Code::internal, "no i32 body for code %u", static_cast<unsigned>(code));
  }
}

BinaryLoop floatBinaryLoop(BinaryCode code) {
  switch (code) {
    case BinaryCode::add: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return a + b; });
    case BinaryCode::sub: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return a - b; });
    case BinaryCode::mul: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return a * b; });
    case BinaryCode::div: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return a / b; });
    case BinaryCode::pow:
      return binaryLoop<vf>([](vf a, vf b, const Scalars&) {
        return lanewise(a, b, [](float x, float y) { return __builtin_powf(x, y); });
      });
    case BinaryCode::maximum:
      return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return ((a > b) | (a != a)) ? a : b; });
    case BinaryCode::minimum:
      return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return ((a < b) | (a != a)) ? a : b; });
    case BinaryCode::squared_difference:
      return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return (a - b) * (a - b); });
    case BinaryCode::mod:
      return binaryLoop<vf>([](vf a, vf b, const Scalars&) {
        return lanewise(a, b, [](float x, float y) { return modulo(x, y); });
      });
    case BinaryCode::equal: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return truth(a == b); });
    case BinaryCode::not_equal: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return truth(a != b); });
    case BinaryCode::less: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return truth(a < b); });
    case BinaryCode::less_equal: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return truth(a <= b); });
    case BinaryCode::greater: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return truth(a > b); });
    case BinaryCode::greater_equal: return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return truth(a >= b); });
    case BinaryCode::logical_and:
      return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return truth((a != zero()) & (b != zero())); });
    case BinaryCode::logical_or:
      return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return truth((a != zero()) | (b != zero())); });
    case BinaryCode::logical_xor:
      return binaryLoop<vf>([](vf a, vf b, const Scalars&) { return truth((a != zero()) ^ (b != zero())); });
    case BinaryCode::relu_grad:
      return binaryLoop<vf>([](vf y, vf dy, const Scalars&) { return y <= zero() ? zero() : dy; });
    case BinaryCode::sigmoid_grad:
      return binaryLoop<vf>([](vf y, vf dy, const Scalars&) { return dy * y * (one() - y); });
    case BinaryCode::tanh_grad:
      return binaryLoop<vf>([](vf y, vf dy, const Scalars&) { return dy * (one() - y * y); });
    case BinaryCode::abs_grad: return binaryLoop<vf>([](vf x, vf dy, const Scalars&) { return dy * sign(x); });
    case BinaryCode::leaky_relu_grad:
      return binaryLoop<vf>([](vf x, vf dy, const Scalars& s) { return x > zero() ? dy : splat(s.alpha) * dy; });
    case BinaryCode::elu_grad:
      return binaryLoop<vf>([](vf x, vf dy, const Scalars& s) { return x > zero() ? dy : splat(s.alpha) * dy * exp(x); });
    case BinaryCode::gelu_grad: return binaryLoop<vf>([](vf x, vf dy, const Scalars&) { return geluGrad(x, dy); });
    case BinaryCode::gelu_tanh_grad:
      return binaryLoop<vf>([](vf x, vf dy, const Scalars&) { return geluTanhGrad(x, dy); });
    case BinaryCode::silu_grad: return binaryLoop<vf>([](vf x, vf dy, const Scalars&) { return siluGrad(x, dy); });
    case BinaryCode::softplus_grad:
      return binaryLoop<vf>([](vf x, vf dy, const Scalars&) { return dy * sigmoid(x); });
    case BinaryCode::clip_grad:
      return binaryLoop<vf>([](vf x, vf dy, const Scalars& s) {
        return ((x < splat(s.alpha)) | (x > splat(s.beta))) ? zero() : dy;
      });
    case BinaryCode::count: break;
  }
  raise(Code::internal, "no body for code %u", static_cast<unsigned>(code));
}

BinaryLoop integerBinaryLoop(BinaryCode code) {
  switch (code) {
    case BinaryCode::add:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return wrapping(modular(a) + modular(b)); });
    case BinaryCode::sub:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return wrapping(modular(a) - modular(b)); });
    case BinaryCode::mul:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return wrapping(modular(a) * modular(b)); });
    case BinaryCode::div:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) {
        return lanewise(a, b, [](int32_t x, int32_t y) { return divide(x, y); });
      });
    case BinaryCode::pow:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) {
        return lanewise(a, b, [](int32_t x, int32_t y) { return power(x, y); });
      });
    case BinaryCode::maximum: return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return a > b ? a : b; });
    case BinaryCode::minimum: return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return a < b ? a : b; });
    case BinaryCode::squared_difference:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) {
        const vu d = modular(a) - modular(b);
        return wrapping(d * d);
      });
    case BinaryCode::mod:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) {
        return lanewise(a, b, [](int32_t x, int32_t y) { return modulo(x, y); });
      });
    case BinaryCode::equal: return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return truth(a == b); });
    case BinaryCode::not_equal: return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return truth(a != b); });
    case BinaryCode::less: return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return truth(a < b); });
    case BinaryCode::less_equal: return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return truth(a <= b); });
    case BinaryCode::greater: return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return truth(a > b); });
    case BinaryCode::greater_equal: return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return truth(a >= b); });
    case BinaryCode::logical_and:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return truth((a != splati(0)) & (b != splati(0))); });
    case BinaryCode::logical_or:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return truth((a != splati(0)) | (b != splati(0))); });
    case BinaryCode::logical_xor:
      return binaryLoop<vi>([](vi a, vi b, const Scalars&) { return truth((a != splati(0)) ^ (b != splati(0))); });
    default: raise(Code::internal, "no i32 body for code %u", static_cast<unsigned>(code));
  }
}

}  // namespace anneal::ANNEAL_ISA
