// Reference of the elementwise ops: one item at a time, in double.
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "reference.h"

namespace anneal {
namespace {

constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kInvSqrt2Pi = 0.39894228040143267794;
constexpr double kSqrt2OverPi = 0.79788456080286535588;
constexpr double kGeluCubic = 0.044715;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
int32_t wrap(uint32_t x) { return static_cast<int32_t>(x); }

}  // namespace

double unaryValue(UnaryCode code, double x, double alpha, double beta) {
  switch (code) {
    case UnaryCode::neg: return -x;
    case UnaryCode::abs: return std::fabs(x);
    case UnaryCode::sign: return sign(x);
    case UnaryCode::square: return x * x;
    case UnaryCode::sqrt: return std::sqrt(x);
    case UnaryCode::rsqrt: return 1 / std::sqrt(x);
    case UnaryCode::reciprocal: return 1 / x;
    case UnaryCode::exp: return std::exp(x);
    case UnaryCode::expm1: return std::expm1(x);
    case UnaryCode::log: return std::log(x);
    case UnaryCode::log1p: return std::log1p(x);
    case UnaryCode::sin: return std::sin(x);
    case UnaryCode::cos: return std::cos(x);
    case UnaryCode::tanh: return std::tanh(x);
    case UnaryCode::sigmoid: return sigmoid(x);
    case UnaryCode::relu: return x < 0 ? 0 : x;
    case UnaryCode::leaky_relu: return x > 0 ? x : alpha * x;
    case UnaryCode::elu: return x > 0 ? x : alpha * std::expm1(x);
    case UnaryCode::gelu: return x / 2 * (1 + std::erf(x * kSqrtHalf));
    case UnaryCode::gelu_tanh: return x / 2 * (1 + std::tanh(kSqrt2OverPi * (x + kGeluCubic * x * x * x)));
    case UnaryCode::silu: return x * sigmoid(x);
    case UnaryCode::softplus: return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::fabs(x)));
    case UnaryCode::floor: return std::floor(x);
    case UnaryCode::ceil: return std::ceil(x);
    case UnaryCode::round: return std::nearbyint(x);
    case UnaryCode::clip: return x < alpha ? alpha : x > beta ? beta : x;
    case UnaryCode::pow_scalar: return std::pow(x, alpha);
    case UnaryCode::affine: return alpha * x + beta;
    case UnaryCode::erf: return std::erf(x);
    case UnaryCode::logical_not: return x == 0;
    case UnaryCode::is_nan: return std::isnan(x);
    case UnaryCode::is_finite: return std::isfinite(x);
    case UnaryCode::count: break;
  }
  return 0;
}

namespace {

int32_t unaryInteger(UnaryCode code, int32_t x, int32_t alpha, int32_t beta) {
  const auto u = static_cast<uint32_t>(x);
  switch (code) {
    case UnaryCode::neg: return wrap(0u - u);
    case UnaryCode::abs: return x < 0 ? wrap(0u - u) : x;
    case UnaryCode::sign: return (x > 0) - (x < 0);
    case UnaryCode::square: return wrap(u * u);
    case UnaryCode::relu: return x < 0 ? 0 : x;
    case UnaryCode::clip: return x < alpha ? alpha : x > beta ? beta : x;
    case UnaryCode::logical_not: return x == 0;
    case UnaryCode::affine: return wrap(static_cast<uint32_t>(alpha) * u + static_cast<uint32_t>(beta));
    default: return 0;
  }
}

double modulo(double a, double b) {
  const double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

double geluGrad(double x, double dy) {
  return dy * ((1 + std::erf(x * kSqrtHalf)) / 2 + x * kInvSqrt2Pi * std::exp(-x * x / 2));
}

double geluTanhGrad(double x, double dy) {
  const double t = std::tanh(kSqrt2OverPi * (x + kGeluCubic * x * x * x));
  return dy * ((1 + t) / 2 + x / 2 * (1 - t * t) * kSqrt2OverPi * (1 + 3 * kGeluCubic * x * x));
}

double siluGrad(double x, double dy) {
  const double s = sigmoid(x);
  return dy * s * (1 + x * (1 - s));
}

}  // namespace

double binaryValue(BinaryCode code, double a, double b, double alpha, double beta) {
  switch (code) {
    case BinaryCode::add: return a + b;
    case BinaryCode::sub: return a - b;
    case BinaryCode::mul: return a * b;
    case BinaryCode::div: return a / b;
    case BinaryCode::pow: return std::pow(a, b);
    case BinaryCode::maximum: return a > b || a != a ? a : b;
    case BinaryCode::minimum: return a < b || a != a ? a : b;
    case BinaryCode::squared_difference: return (a - b) * (a - b);
    case BinaryCode::mod: return modulo(a, b);
    case BinaryCode::equal: return a == b;
    case BinaryCode::not_equal: return a != b;
    case BinaryCode::less: return a < b;
    case BinaryCode::less_equal: return a <= b;
    case BinaryCode::greater: return a > b;
    case BinaryCode::greater_equal: return a >= b;
    case BinaryCode::logical_and: return a != 0 && b != 0;
    case BinaryCode::logical_or: return a != 0 || b != 0;
    case BinaryCode::logical_xor: return (a != 0) != (b != 0);
    case BinaryCode::relu_grad: return a <= 0 ? 0 : b;
    case BinaryCode::sigmoid_grad: return b * a * (1 - a);
    case BinaryCode::tanh_grad: return b * (1 - a * a);
    case BinaryCode::abs_grad: return b * sign(a);
    case BinaryCode::leaky_relu_grad: return a > 0 ? b : alpha * b;
    case BinaryCode::elu_grad: return a > 0 ? b : alpha * b * std::exp(a);
    case BinaryCode::gelu_grad: return geluGrad(a, b);
    case BinaryCode::gelu_tanh_grad: return geluTanhGrad(a, b);
    case BinaryCode::silu_grad: return siluGrad(a, b);
    case BinaryCode::softplus_grad: return b * sigmoid(a);
    case BinaryCode::clip_grad: return a < alpha || a > beta ? 0 : b;
    case BinaryCode::count: break;
  }
  return 0;
}

namespace {

// a^b modulo 2^32 by squaring; 1 / a^|b| truncated when b < 0.
int32_t powInteger(int32_t a, int32_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 == 0 ? 1 : -1) : 0;
  uint32_t result = 1, base = static_cast<uint32_t>(a);
  for (; b > 0; b /= 2, base *= base)
    if (b % 2 == 1) result *= base;
  return wrap(result);
}

int32_t divInteger(int32_t a, int32_t b) {
  return b == 0 ? 0 : b == -1 ? wrap(0u - static_cast<uint32_t>(a)) : a / b;
}

int32_t modInteger(int32_t a, int32_t b) {
  if (b == 0 || b == -1) return 0;
  const int32_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

int32_t binaryInteger(BinaryCode code, int32_t a, int32_t b) {
  const auto u = static_cast<uint32_t>(a);
  const auto v = static_cast<uint32_t>(b);
  switch (code) {
    case BinaryCode::add: return wrap(u + v);
    case BinaryCode::sub: return wrap(u - v);
    case BinaryCode::mul: return wrap(u * v);
    case BinaryCode::div: return divInteger(a, b);
    case BinaryCode::pow: return powInteger(a, b);
    case BinaryCode::maximum: return a > b ? a : b;
    case BinaryCode::minimum: return a < b ? a : b;
    case BinaryCode::squared_difference: return wrap((u - v) * (u - v));
    case BinaryCode::mod: return modInteger(a, b);
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

int64_t itemCount(const uint32_t* dims, uint32_t rank) {
  for (uint32_t d = 0; d < rank; ++d)
    if (dims[d] == 0) return 0;  // the other sizes may be anything
  int64_t n = 1;
  for (uint32_t d = 0; d < rank; ++d) n *= dims[d];
  return n;
}

// Offset of item i of the dense output in an operand with these strides.
int64_t offsetOf(int64_t i, const uint32_t* dims, const uint32_t* strides, uint32_t rank) {
  int64_t offset = 0;
  for (uint32_t d = rank; d-- > 0;) {
    offset += i % dims[d] * strides[d];
    i /= dims[d];
  }
  return offset;
}

template <class T> const T* operand(const OpCall& call, uint32_t i) {
  return i < call.nIn ? call.input<T>(i) : nullptr;
}

template <class T> T clampTo(double x, double lo, double hi) {
  return x != x ? T{0} : static_cast<T>(x < lo ? lo : x > hi ? hi : x);
}

double readItem(const OpCall& call, uint32_t dtype, int64_t i) {
  switch (static_cast<DType>(dtype)) {
    case DType::f32: return call.input<float>(0)[i];
    case DType::i32: return call.input<int32_t>(0)[i];
    case DType::u8: return call.input<uint8_t>(0)[i];
  }
  return 0;
}

}  // namespace

void unary_reference(const OpCall& call) {
  const auto& p = call.as<UnaryParams>();
  const auto code = static_cast<UnaryCode>(p.code);
  for (int64_t i = 0; i < p.count; ++i) {
    if (p.dtype != 0) {
      call.output<int32_t>(0)[i] = unaryInteger(code, call.input<int32_t>(0)[i], p.intAlpha, p.intBeta);
      continue;
    }
    const double y = unaryValue(code, call.input<float>(0)[i], p.alpha, p.beta);
    if (givesTruth(code))
      call.output<int32_t>(0)[i] = static_cast<int32_t>(y);
    else
      call.output<float>(0)[i] = static_cast<float>(y);
  }
}

void binary_reference(const OpCall& call) {
  const auto& p = call.as<BinaryParams>();
  const auto code = static_cast<BinaryCode>(p.code);
  const int64_t n = itemCount(p.dims, p.rank);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t ia = offsetOf(i, p.dims, p.strideA, p.rank);
    const int64_t ib = offsetOf(i, p.dims, p.strideB, p.rank);
    if (p.dtype != 0) {
      const auto* a = operand<int32_t>(call, 0);
      const auto* b = operand<int32_t>(call, 1);
      call.output<int32_t>(0)[i] = binaryInteger(code, a ? a[ia] : p.intScalar, b ? b[ib] : p.intScalar);
      continue;
    }
    const auto* a = operand<float>(call, 0);
    const auto* b = operand<float>(call, 1);
    const double y = binaryValue(code, a ? a[ia] : p.scalar, b ? b[ib] : p.scalar, p.alpha, p.beta);
    if (givesTruth(code))
      call.output<int32_t>(0)[i] = static_cast<int32_t>(y);
    else
      call.output<float>(0)[i] = static_cast<float>(y);
  }
}

void where_reference(const OpCall& call) {
  const auto& p = call.as<WhereParams>();
  const int64_t n = itemCount(p.dims, p.rank);
  for (int64_t i = 0; i < n; ++i) {
    const bool first = call.input<int32_t>(0)[offsetOf(i, p.dims, p.strideCondition, p.rank)] != 0;
    const int64_t at = offsetOf(i, p.dims, first ? p.strideA : p.strideB, p.rank);
    if (p.dtype != 0) {
      const auto* source = operand<int32_t>(call, first ? 1 : 2);
      call.output<int32_t>(0)[i] = source ? source[at] : first ? p.intScalarA : p.intScalarB;
    } else {
      const auto* source = operand<float>(call, first ? 1 : 2);
      call.output<float>(0)[i] = source ? source[at] : first ? p.scalarA : p.scalarB;
    }
  }
}

void cast_reference(const OpCall& call) {
  const auto& p = call.as<CastParams>();
  for (int64_t i = 0; i < p.count; ++i) {
    const double x = readItem(call, p.from, i);
    switch (static_cast<DType>(p.to)) {
      case DType::f32:
        call.output<float>(0)[i] = static_cast<float>(p.scale * static_cast<double>(static_cast<float>(x)) + p.offset);
        break;
      case DType::i32: call.output<int32_t>(0)[i] = clampTo<int32_t>(x, INT32_MIN, INT32_MAX); break;
      case DType::u8: call.output<uint8_t>(0)[i] = clampTo<uint8_t>(x, 0, 255); break;
    }
  }
}

void fill_reference(const OpCall& call) {
  const auto& p = call.as<FillParams>();
  for (int64_t i = 0; i < p.count; ++i) {
    switch (static_cast<DType>(p.dtype)) {
      case DType::f32: call.output<float>(0)[i] = p.value; break;
      case DType::i32: call.output<int32_t>(0)[i] = p.intValue; break;
      case DType::u8: call.output<uint8_t>(0)[i] = static_cast<uint8_t>(p.intValue); break;
    }
  }
}

}  // namespace anneal
