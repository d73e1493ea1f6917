// Elementwise ops on CUDA (contract: elementwise.h). Memory binds: each thread takes four items, by one access of 16 bytes an
// operand where all of them lie on a boundary of that, else one by one.
#include "elementwise.cuda.h"
#include "functions.cuh"

namespace anneal::cuda {
namespace {

ANNEAL_GPU uint32_t unaryWord(const UnaryParams& p, uint32_t word) {
  const auto code = static_cast<UnaryCode>(p.code);
  return p.dtype != 0 ? unaryInt(code, word, p.intAlpha, p.intBeta) : unaryFloat(code, floatOf(word), p.alpha, p.beta);
}

ANNEAL_GPU uint32_t binaryWord(const BinaryArgs& args, uint32_t a, uint32_t b) {
  const auto code = static_cast<BinaryCode>(args.code);
  return args.dtype != 0 ? binaryInt(code, a, b) : binaryFloat(code, floatOf(a), floatOf(b), args.alpha, args.beta);
}

// Where item i of the output finds its item in operand k.
ANNEAL_GPU int64_t offsetOf(const Walk& walk, int k, int64_t i) {
  int64_t offset = 0;
  auto rest = static_cast<uint64_t>(i);
  for (int d = static_cast<int>(walk.rank) - 1; d >= 0; --d) {
    offset += static_cast<int64_t>(rest % walk.dims[d]) * walk.strides[k][d];
    rest /= walk.dims[d];
  }
  return offset;
}

// Of an operand that has every item, or one for all, or is a scalar.
ANNEAL_GPU uint4 fourOf(const Span<const uint32_t>& x, uint32_t step, int64_t i, uint32_t scalar) {
  if (x.present() && step == 1) return x.as<uint4>(i);
  const uint32_t word = x.present() ? x[0] : scalar;
  return make_uint4(word, word, word, word);
}
ANNEAL_GPU uint32_t oneOf(const Span<const uint32_t>& x, uint32_t step, int64_t i, uint32_t scalar) {
  return x.present() ? x[step == 1 ? i : 0] : scalar;
}

template <class To> ANNEAL_GPU To clampTo(float x, float low, float high, To most) {
  if (x != x) return 0;
  return x >= high ? most : x <= low ? static_cast<To>(low) : static_cast<To>(x);
}

}  // namespace

extern "C" __global__ void unary4(const UnaryArgs args) {
  const int64_t i = flatThread() * 4, count = args.params.count;
  if (i >= count) return;
  if (i + 4 <= count) {
    const uint4 x = args.x.as<uint4>(i);
    args.out.as<uint4>(i) = make_uint4(unaryWord(args.params, x.x), unaryWord(args.params, x.y), unaryWord(args.params, x.z),
                                       unaryWord(args.params, x.w));
    return;
  }
  for (int64_t k = i; k < count; ++k) args.out[k] = unaryWord(args.params, args.x[k]);
}

extern "C" __global__ void unary1(const UnaryArgs args) {
  const int64_t i = flatThread();
  if (i < args.params.count) args.out[i] = unaryWord(args.params, args.x[i]);
}

extern "C" __global__ void binary4(const BinaryArgs args) {
  const int64_t i = flatThread() * 4, count = args.walk.count;
  if (i >= count) return;
  const uint32_t stepA = args.walk.strides[0][0], stepB = args.walk.strides[1][0];
  if (i + 4 <= count) {
    const uint4 a = fourOf(args.a, stepA, i, args.scalar), b = fourOf(args.b, stepB, i, args.scalar);
    args.out.as<uint4>(i) =
        make_uint4(binaryWord(args, a.x, b.x), binaryWord(args, a.y, b.y), binaryWord(args, a.z, b.z), binaryWord(args, a.w, b.w));
    return;
  }
  for (int64_t k = i; k < count; ++k)
    args.out[k] = binaryWord(args, oneOf(args.a, stepA, k, args.scalar), oneOf(args.b, stepB, k, args.scalar));
}

extern "C" __global__ void binary1(const BinaryArgs args) {
  const int64_t i = flatThread();
  if (i >= args.walk.count) return;
  const uint32_t a = args.a.present() ? args.a[offsetOf(args.walk, 0, i)] : args.scalar;
  const uint32_t b = args.b.present() ? args.b[offsetOf(args.walk, 1, i)] : args.scalar;
  args.out[i] = binaryWord(args, a, b);
}

extern "C" __global__ void where(const WhereArgs args) {
  const int64_t i = flatThread();
  if (i >= args.walk.count) return;
  if (args.condition[offsetOf(args.walk, 0, i)] != 0)
    args.out[i] = args.a.present() ? args.a[offsetOf(args.walk, 1, i)] : args.scalarA;
  else
    args.out[i] = args.b.present() ? args.b[offsetOf(args.walk, 2, i)] : args.scalarB;
}

extern "C" __global__ void cast(const CastArgs args) {
  const int64_t i = flatThread();
  const CastParams& p = args.params;
  if (i >= p.count) return;
  const auto from = static_cast<DType>(p.from), to = static_cast<DType>(p.to);
  // Integers to integers go by way of int32_t, floats by float.
  const bool isFloat = from == DType::f32;
  float x = 0;
  int32_t whole = 0;
  if (isFloat) x = floatOf(args.x.as<uint32_t>(4 * i));
  else if (from == DType::i32) whole = static_cast<int32_t>(args.x.as<uint32_t>(4 * i));
  else whole = args.x[i];
  switch (to) {
    case DType::f32:
      if (!isFloat) x = static_cast<float>(whole);
      args.out.as<uint32_t>(4 * i) = wordOf(p.scale * x + p.offset);
      break;
    case DType::i32:
      args.out.as<uint32_t>(4 * i) =
          static_cast<uint32_t>(isFloat ? clampTo<int32_t>(x, -2147483648.0f, 2147483648.0f, 2147483647) : whole);
      break;
    case DType::u8:
      args.out[i] = isFloat ? clampTo<unsigned char>(x, 0.0f, 255.0f, 255)
                            : static_cast<unsigned char>(whole < 0 ? 0 : whole > 255 ? 255 : whole);
      break;
  }
}

extern "C" __global__ void fill(const FillArgs args) {
  const int64_t i = flatThread();
  if (i >= args.count) return;
  if (args.itemBytes == 4) args.out.as<uint32_t>(4 * i) = args.word;
  else args.out[i] = static_cast<unsigned char>(args.word);
}

}  // namespace anneal::cuda
