// How sgemm is launched on CUDA.
#include "sgemm.cuda.h"

#include <algorithm>
#include <string_view>

#include "../../native/backends/cuda/launch.h"
#include "../common/product_parts.cuda.h"

namespace anneal::cuda::ops {
namespace {

constexpr uint32_t kBlock = 256;
constexpr uint32_t kMostItems = 65535;  // blocks along y and z

// By transposition: none, B, A, both.
constexpr const char* kLarge[] = {"sgemm/sgemm_nn_large", "sgemm/sgemm_nt_large", "sgemm/sgemm_tn_large"};
constexpr const char* kMedium[] = {"sgemm/sgemm_nn_medium", "sgemm/sgemm_nt_medium", "sgemm/sgemm_tn_medium"};
constexpr const char* kSmall[] = {"sgemm/sgemm_nn_small", "sgemm/sgemm_nt_small", "sgemm/sgemm_tn_small"};
constexpr const char* kAny[] = {"sgemm/sgemm_nn_any", "sgemm/sgemm_nt_any", "sgemm/sgemm_tn_any", "sgemm/sgemm_tt_any"};

constexpr const char* kTf32[] = {"sgemm_tensor/nn_tf32", "sgemm_tensor/nt_tf32", "sgemm_tensor/tn_tf32"};
constexpr const char* kBf16[] = {"sgemm_tensor/nn_bf16", "sgemm_tensor/nt_bf16", "sgemm_tensor/tn_bf16"};

// One row or column of C.
void vector(const Call& call, const SgemmParams& p) {
  const bool row = p.m == 1;
  GemvArgs args{};
  args.matrix = call.input<float>(row ? 1 : 0);
  args.x = call.input<float>(row ? 0 : 1);
  args.bias = call.input<float>(2);
  args.y = call.output<float>(0);
  args.strideMatrix = row ? p.strideB : p.strideA;
  args.strideX = row ? p.strideA : p.strideB;
  args.accumulate = p.accumulate;
  args.activation = p.activation;
  args.biasStep = row ? 1 : 0;
  const uint32_t length = row ? p.n : p.m;
  // Whether the sum runs along the matrix's stored rows.
  const bool rows = row ? p.transB != 0 : p.transA == 0;
  args.rows = rows ? length : p.k;
  args.columns = rows ? p.k : length;
  const Dim grid{rows ? ceilDiv(length, 8) : ceilDiv(length, 32), p.batch};
  call.launch(rows ? "sgemm/gemv_rows" : "sgemm/gemv_columns", grid, {kBlock}, args);
}

}  // namespace

void sgemm(Call& call) {
  const auto& p = call.as<SgemmParams>();
  if (p.batch == 0 || p.m == 0 || p.n == 0) return;
  if ((p.m == 1 || p.n == 1) && p.batch <= kMostItems) return vector(call, p);

  SgemmArgs args{};
  args.a = call.input<float>(0);
  args.b = call.input<float>(1);
  args.bias = call.input<float>(2);
  args.d = call.output<float>(0);
  args.m = p.m, args.n = p.n, args.k = p.k, args.batch = p.batch;
  args.pitchA = p.transA != 0 ? p.m : p.k;
  args.pitchB = p.transB != 0 ? p.k : p.n;
  args.strideA = p.strideA, args.strideB = p.strideB;
  args.accumulate = p.accumulate;
  args.least = leastOf(p.activation);
  args.fours = p.n % 4 == 0 && alignedBy16(args.d);

  const bool fours = alignedBy16(args.a) && alignedBy16(args.b) && args.pitchA % 4 == 0 && args.pitchB % 4 == 0 &&
                     p.strideA % 4 == 0 && p.strideB % 4 == 0 && !(p.transA != 0 && p.transB != 0);
  const auto tiles = [&](uint32_t rows, uint32_t columns) {
    return static_cast<uint64_t>(ceilDiv(p.m, rows)) * ceilDiv(p.n, columns);
  };
  uint32_t rows = 64, columns = 64;
  const char* const* kernels = fours ? kSmall : kAny;
  if (fours && p.n >= 256 && tiles(128, 256) * p.batch >= 2 * kTypicalMultiprocessors) {
    rows = 128, columns = 256, kernels = kLarge;
  } else if (fours && tiles(128, 128) * p.batch >= kTypicalMultiprocessors) {
    rows = columns = 128, kernels = kMedium;
  }
  const int which = (p.transA != 0 ? 2 : 0) + (p.transB != 0 ? 1 : 0);
  uint32_t shared = 0;
  // Smaller products leave most of a matrix unit's tile empty.
  if (fours && call.traits().precision != Precision::f32 && p.m > 32 && p.n > 32) {
    rows = columns = 128;
    kernels = call.traits().precision == Precision::tf32 ? kTf32 : kBf16;
    shared = tensorSharedBytes(p.transA != 0, p.transB == 0);
  }
  const uint64_t blocks = tiles(rows, columns);
  const Parts parts = partsOf(p.k, blocks * p.batch, kMostItems / std::max(1u, p.batch));
  args.parts = parts.count, args.part = parts.length;
  const Span<float> c = args.d;
  if (parts.count > 1) {
    const int64_t count = static_cast<int64_t>(p.batch) * p.m * p.n;
    args.d = call.scratch<float>(count * parts.count);
    args.bias = {nullptr, 0};
    args.accumulate = 0;
    args.least = leastOf(0);
    args.fours = p.n % 4 == 0;
  }
  const uint32_t items = p.batch * parts.count, y = std::min(items, kMostItems);
  call.launch(kernels[which], {static_cast<uint32_t>(blocks), y, ceilDiv(items, y)}, {kBlock}, args, shared);
  if (parts.count > 1) sumParts(call, args.d, call.input<float>(2), c, p.n, parts.count, p.accumulate, p.activation);
  else activateAfter(call, c, p.activation);
}

}  // namespace anneal::cuda::ops
