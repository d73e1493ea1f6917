// How softmax_cross_entropy and its backward are launched on CUDA.
#include "softmax_cross_entropy.cuda.h"

#include <algorithm>

#include "../../native/backends/cuda/launch.h"
#include "../common/rows.cuda.h"

namespace anneal::cuda::ops {
namespace {

constexpr uint32_t kSumThreads = 1024;

// Rows that a block of the sums over rows takes before there are several, and how many there are at most.
constexpr int64_t kPartRows = 16384;
constexpr int64_t kMostParts = 32;

template <class... Operands> CrossEntropyRows rowsOf(const Call& call, uint32_t target, uint32_t weights, const Operands&... others) {
  CrossEntropyRows rows{};
  rows.params = call.as<SoftmaxCrossEntropyParams>();
  rows.logits = call.input<float>(0);
  if (rows.params.dense != 0) rows.dense = call.input<float>(target);
  else rows.indices = call.input<int32_t>(target);
  rows.classWeights = call.input<float>(weights);
  rows.keep = 1 - rows.params.labelSmoothing;
  rows.spread = rows.params.classes == 0 ? 0 : rows.params.labelSmoothing / static_cast<float>(rows.params.classes);
  // What is absent lies at 0.
  rows.vectors = rows.params.classes % 4 == 0 && alignedBy16(rows.logits) && alignedBy16(rows.dense) && alignedBy16(rows.classWeights) &&
                 (... && alignedBy16(others));
  return rows;
}

}  // namespace

void softmax_cross_entropy(Call& call) {
  CrossEntropyArgs args{};
  args.dlogits = call.output<float>(4);
  args.rows = rowsOf(call, 1, 2, args.dlogits);
  const SoftmaxCrossEntropyParams& p = args.rows.params;
  const bool none = p.reduction == static_cast<uint32_t>(CrossEntropyReduction::none);
  const bool mean = p.reduction == static_cast<uint32_t>(CrossEntropyReduction::mean);
  const int64_t parts = std::clamp<int64_t>(ceilDiv(p.rows, kPartRows), 1, kMostParts);
  const int64_t partLength = std::max<int64_t>(ceilDiv(p.rows, parts), 1);
  args.rowLoss = none ? call.output<float>(0) : call.scratch<float>(p.rows);
  args.normalizers = call.output<float>(1);
  args.weight = call.output<float>(2);
  if (mean) {
    const Span<float> weightParts = call.scratch<float>(parts);
    call.launch("softmax_cross_entropy/row_weights", {static_cast<uint32_t>(parts)}, {kSumThreads},
                RowWeightsArgs{args.rows, weightParts, partLength});
    args.weightParts = {weightParts.data, weightParts.size};
  }
  launchRows(call, {"softmax_cross_entropy/cross_entropy_8", "softmax_cross_entropy/cross_entropy_32", "softmax_cross_entropy/cross_entropy_256"}, p.rows,
             p.classes, args);
  if (none) return;
  RowSumsArgs sums{};
  sums.x = {args.rowLoss.data, args.rowLoss.size};
  sums.partLength = partLength;
  if (parts > 1) {
    sums.out = call.scratch<float>(parts);
    call.launch("softmax_cross_entropy/row_sums", {static_cast<uint32_t>(parts)}, {kSumThreads}, sums);
    sums.x = {sums.out.data, sums.out.size};
    sums.partLength = parts;
  }
  sums.out = call.output<float>(0);
  if (mean) {
    sums.weightParts = args.weightParts;
    sums.divisor = call.output<float>(3);
  }
  call.launch("softmax_cross_entropy/row_sums", {1}, {kSumThreads}, sums);
}

void softmax_cross_entropy_backward(Call& call) {
  CrossEntropyBackwardArgs args{};
  args.dlogits = call.output<float>(0);
  args.rows = rowsOf(call, 2, 3, args.dlogits);
  args.normalizers = call.input<float>(1);
  args.dLoss = call.input<float>(4);
  args.divisor = call.input<float>(5);
  launchRows(call, {"softmax_cross_entropy/cross_entropy_backward_8", "softmax_cross_entropy/cross_entropy_backward_32", "softmax_cross_entropy/cross_entropy_backward_256"},
             args.rows.params.rows, args.rows.params.classes, args);
}

}  // namespace anneal::cuda::ops
