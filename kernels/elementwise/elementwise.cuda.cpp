// How the elementwise ops are launched on CUDA.
#include "elementwise.cuda.h"

#include <bit>

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {
namespace {

constexpr uint32_t kBlock = 256;

Dim gridFor(int64_t count, int64_t each) { return {ceilDiv(count, each * kBlock)}; }

// Drops dimensions of 1 and merges those that lie one after the other in all `operands`.
template <int N> Walk walkOf(uint32_t rank, const uint32_t* dims, const uint32_t* const (&strides)[N]) {
  Walk walk{};
  walk.count = 1;
  for (uint32_t d = 0; d < rank; ++d) {
    walk.count *= dims[d];
    if (dims[d] == 1) continue;
    bool merges = walk.rank > 0;
    for (int k = 0; k < N && merges; ++k)
      merges = walk.strides[k][walk.rank - 1] == static_cast<uint64_t>(strides[k][d]) * dims[d];
    if (!merges) walk.dims[walk.rank++] = 1;
    walk.dims[walk.rank - 1] *= dims[d];
    for (int k = 0; k < N; ++k) walk.strides[k][walk.rank - 1] = strides[k][d];
  }
  return walk;
}

}  // namespace

namespace {

void launchWords(const Call& call, const Span<const uint32_t>& x, const Span<uint32_t>& out, const UnaryParams& params) {
  const UnaryArgs args{x, out, params};
  const bool fours = alignedBy16(x) && alignedBy16(out);
  call.launch(fours ? "elementwise/unary4" : "elementwise/unary1", gridFor(params.count, fours ? 4 : 1), {kBlock}, args);
}

}  // namespace

void unary(Call& call) { launchWords(call, call.input<uint32_t>(0), call.output<uint32_t>(0), call.as<UnaryParams>()); }

void binary(Call& call) {
  const auto& p = call.as<BinaryParams>();
  BinaryArgs args{};
  args.a = call.input<uint32_t>(0);
  args.b = call.input<uint32_t>(1);
  args.out = call.output<uint32_t>(0);
  args.walk = walkOf(p.rank, p.dims, {p.strideA, p.strideB});
  args.code = p.code;
  args.dtype = p.dtype;
  args.scalar = p.dtype != 0 ? static_cast<uint32_t>(p.intScalar) : std::bit_cast<uint32_t>(p.scalar);
  args.alpha = p.alpha;
  args.beta = p.beta;
  const auto simple = [&](const Span<const uint32_t>& x, int k) {
    return !x.present() || args.walk.strides[k][0] == 0 || (args.walk.strides[k][0] == 1 && alignedBy16(x));
  };
  const bool fours = args.walk.rank <= 1 && simple(args.a, 0) && simple(args.b, 1) && alignedBy16(args.out);
  call.launch(fours ? "elementwise/binary4" : "elementwise/binary1", gridFor(args.walk.count, fours ? 4 : 1), {kBlock}, args);
}

void where(Call& call) {
  const auto& p = call.as<WhereParams>();
  WhereArgs args{};
  args.condition = call.input<uint32_t>(0);
  args.a = call.input<uint32_t>(1);
  args.b = call.input<uint32_t>(2);
  args.out = call.output<uint32_t>(0);
  args.walk = walkOf(p.rank, p.dims, {p.strideCondition, p.strideA, p.strideB});
  args.scalarA = p.dtype != 0 ? static_cast<uint32_t>(p.intScalarA) : std::bit_cast<uint32_t>(p.scalarA);
  args.scalarB = p.dtype != 0 ? static_cast<uint32_t>(p.intScalarB) : std::bit_cast<uint32_t>(p.scalarB);
  call.launch("elementwise/where", gridFor(args.walk.count, 1), {kBlock}, args);
}

void cast(Call& call) {
  const CastArgs args{call.input<unsigned char>(0), call.output<unsigned char>(0), call.as<CastParams>()};
  call.launch("elementwise/cast", gridFor(args.params.count, 1), {kBlock}, args);
}

void fill(Call& call) {
  const auto& p = call.as<FillParams>();
  const auto dtype = static_cast<DType>(p.dtype);
  const uint32_t word = dtype == DType::f32 ? std::bit_cast<uint32_t>(p.value) : static_cast<uint32_t>(p.intValue);
  const FillArgs args{call.output<unsigned char>(0), p.count, word, dtype == DType::u8 ? 1u : 4u};
  call.launch("elementwise/fill", gridFor(args.count, 1), {kBlock}, args);
}

}  // namespace anneal::cuda::ops

namespace anneal::cuda {

void launchUnary(const Call& call, const Span<const float>& x, const Span<float>& out, const UnaryParams& params) {
  ops::launchWords(call, {reinterpret_cast<const uint32_t*>(x.data), x.size}, {reinterpret_cast<uint32_t*>(out.data), out.size}, params);
}

}  // namespace anneal::cuda
