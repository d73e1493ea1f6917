// CPU bodies of the elementwise ops: a loop around a lane-wise function (loops.h), rows cut into tasks.
#include "broadcast.h"
#include "loops.h"

namespace anneal::ANNEAL_ISA {
namespace {

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
  const UnaryLoop loop = p.dtype == 0 ? floatUnaryLoop(code, s) : integerUnaryLoop(code);
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
  const BinaryLoop loop = p.dtype == 0 ? floatBinaryLoop(code) : integerBinaryLoop(code);
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
