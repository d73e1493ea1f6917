// CPU bodies of the elementwise ops: a table of lane-wise functions, one loop around each, rows cut into tasks.
#include "broadcast.h"
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

UnaryLoop floatUnary(UnaryCode code, const Scalars& constants) {
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

UnaryLoop integerUnary(UnaryCode code) {
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

BinaryLoop floatBinary(BinaryCode code) {
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

BinaryLoop integerBinary(BinaryCode code) {
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

// f(i) for the items i in [begin, end), where a compiler makes vectors of it by itself; by way of a block in the L1 cache where
// the output goes past the caches.
template <class To, class F> void writeItems(To* out, int64_t begin, int64_t end, bool streams, const F& f) {
  if constexpr (sizeof(To) == 4) {
    if (streams && onBoundary(out + begin)) {
      alignas(64) To block[kGatherBlock];
      for (; begin + kGatherBlock <= end; begin += kGatherBlock) {
        for (int64_t i = 0; i < kGatherBlock; ++i) block[i] = f(begin + i);
        const auto* from = reinterpret_cast<const int32_t*>(block);
        for (int64_t i = 0; i < kGatherBlock; i += kLanes)
          StreamStores::put(reinterpret_cast<float*>(out + begin + i), fromBits(loadi(from + i)));
      }
    }
  }
  for (int64_t i = begin; i < end; ++i) out[i] = f(i);
}

template <class From, class To, class F>
void convert(const OpCall& call, int64_t count, const F& f) {
  const From* x = call.input<From>(0);
  To* out = call.output<To>(0);
  const bool streams = wantsStreams(call);
  parallelRange(call.exec, count, kElementwiseGrain, [&](int64_t begin, int64_t end, int) {
    writeItems(out, begin, end, streams, [=](int64_t i) { return f(x[i]); });
    fenceStreams();
  });
}

int32_t toInteger(float x) {
  if (x != x) return 0;
  return x >= 2147483648.0f ? INT32_MAX : x < -2147483648.0f ? INT32_MIN : static_cast<int32_t>(x);
}
uint8_t toByte(int32_t x) { return static_cast<uint8_t>(x < 0 ? 0 : x > 255 ? 255 : x); }

template <class From> void castFrom(const OpCall& call, const CastParams& p) {
  switch (static_cast<DType>(p.to)) {
    case DType::f32:
      return convert<From, float>(call, p.count,
                                  [scale = p.scale, offset = p.offset](From x) {
                                    return scale * static_cast<float>(x) + offset;
                                  });
    case DType::i32:
      if constexpr (sizeof(From) == 4 && static_cast<From>(0.5f) != From{0})
        return convert<From, int32_t>(call, p.count, [](From x) { return toInteger(x); });
      else
        return convert<From, int32_t>(call, p.count, [](From x) { return static_cast<int32_t>(x); });
    case DType::u8:
      if constexpr (sizeof(From) == 4 && static_cast<From>(0.5f) != From{0})
        return convert<From, uint8_t>(call, p.count, [](From x) { return toByte(toInteger(x)); });
      else
        return convert<From, uint8_t>(call, p.count, [](From x) { return toByte(static_cast<int32_t>(x)); });
  }
}

template <class T> void fillWith(const OpCall& call, int64_t count, T value) {
  T* out = call.output<T>(0);
  const bool streams = wantsStreams(call);
  parallelRange(call.exec, count, kElementwiseGrain, [&](int64_t begin, int64_t end, int) {
    if constexpr (sizeof(T) == 4) {
      if (streams && onBoundary(out + begin))
        for (; begin + kLanes <= end; begin += kLanes)
          StreamStores::put(reinterpret_cast<float*>(out + begin), fromBits(splati(__builtin_bit_cast(int32_t, value))));
    }
    for (int64_t i = begin; i < end; ++i) out[i] = value;
    fenceStreams();
  });
}

int32_t bitsOf(float x) {
  int32_t result;
  std::memcpy(&result, &x, sizeof result);
  return result;
}

// An absent operand is one item in the parameters, with strides of 0.
template <int N>
Broadcast<N> broadcastOf(const OpCall& call, uint32_t rank, const uint32_t* dims, const uint32_t* const (&strides)[N],
                         const int32_t* scalars, const int32_t* (&in)[N]) {
  Broadcast<N> shape;
  for (uint32_t d = 0; d < rank; ++d)
    if (dims[d] == 0) shape.count = 0;
  if (shape.count == 0) return shape;  // the other sizes may be anything
  bool present[N];
  for (int k = 0; k < N; ++k) {
    const auto i = static_cast<uint32_t>(k);
    present[k] = i < call.nIn && call.in[i].data != nullptr;
    in[k] = present[k] ? call.input<int32_t>(i) : scalars + k;
  }
  for (uint32_t d = 0; d < rank; ++d) {
    int64_t stride[N];
    for (int k = 0; k < N; ++k) stride[k] = present[k] ? strides[k][d] : 0;
    shape.append(dims[d], stride);
  }
  return shape;
}

}  // namespace

void unary(const OpCall& call) {
  const auto& p = call.as<UnaryParams>();
  const auto code = static_cast<UnaryCode>(p.code);
  const Scalars s{p.alpha, p.beta, p.intAlpha, p.intBeta, wantsStreams(call)};
  const UnaryLoop loop = p.dtype == 0 ? floatUnary(code, s) : integerUnary(code);
  const auto* x = call.input<int32_t>(0);
  auto* out = call.output<int32_t>(0);
  parallelRange(call.exec, p.count, kElementwiseGrain,
                [&](int64_t begin, int64_t end, int) {
                  loop(s, x + begin, out + begin, end - begin);
                  fenceStreams();
                });
}

void binary(const OpCall& call) {
  const auto& p = call.as<BinaryParams>();
  const auto code = static_cast<BinaryCode>(p.code);
  const BinaryLoop loop = p.dtype == 0 ? floatBinary(code) : integerBinary(code);
  const int32_t scalar = p.dtype == 0 ? bitsOf(p.scalar) : p.intScalar;
  const int32_t scalars[] = {scalar, scalar};
  const int32_t* in[2];
  const auto shape = broadcastOf<2>(call, p.rank, p.dims, {p.strideA, p.strideB}, scalars, in);
  const Scalars s{p.alpha, p.beta, 0, 0, wantsStreams(call)};
  broadcastRows<2>(call.exec, shape, in, call.output<int32_t>(0),
                   [&](int32_t* out, const int32_t* const* operands, const int* steps, int64_t n) {
                     loop(s, operands, steps, out, n);
                   });
}

void where(const OpCall& call) {
  const auto& p = call.as<WhereParams>();
  const int32_t scalars[] = {0, p.dtype == 0 ? bitsOf(p.scalarA) : p.intScalarA,
                             p.dtype == 0 ? bitsOf(p.scalarB) : p.intScalarB};
  const int32_t* in[3];
  const auto shape =
      broadcastOf<3>(call, p.rank, p.dims, {p.strideCondition, p.strideA, p.strideB}, scalars, in);
  broadcastRows<3>(call.exec, shape, in, call.output<int32_t>(0),
                   [streams = wantsStreams(call)](int32_t* out, const int32_t* const* operands, const int* steps, int64_t n) {
                     const int64_t stepC = steps[0], stepA = steps[1], stepB = steps[2];
                     const int32_t *c = operands[0], *a = operands[1], *b = operands[2];
                     if (stepC + stepA + stepB == 3)
                       writeItems(out, 0, n, streams, [=](int64_t i) { return c[i] != 0 ? a[i] : b[i]; });
                     else
                       writeItems(out, 0, n, streams,
                                  [=](int64_t i) { return c[i * stepC] != 0 ? a[i * stepA] : b[i * stepB]; });
                   });
}

void cast(const OpCall& call) {
  const auto& p = call.as<CastParams>();
  switch (static_cast<DType>(p.from)) {
    case DType::f32: return castFrom<float>(call, p);
    case DType::i32: return castFrom<int32_t>(call, p);
    case DType::u8: return castFrom<uint8_t>(call, p);
  }
}

void fill(const OpCall& call) {
  const auto& p = call.as<FillParams>();
  switch (static_cast<DType>(p.dtype)) {
    case DType::f32: return fillWith(call, p.count, p.value);
    case DType::i32: return fillWith(call, p.count, p.intValue);
    case DType::u8: return fillWith(call, p.count, static_cast<uint8_t>(p.intValue));
  }
}

}  // namespace anneal::ANNEAL_ISA
