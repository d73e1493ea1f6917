// How the convolutions are launched on CUDA.
#include "conv2d.cuda.h"

#include <algorithm>

#include "../../native/backends/cuda/launch.h"
#include "../common/product_parts.cuda.h"

namespace anneal::cuda::ops {
namespace {

constexpr uint32_t kBlock = 256;

struct Choice {
  const char* kernel;
  uint32_t tile;
  uint32_t sharedBytes;
};

// The kernels of one direction; whether the operands' neighbours lie along o.
struct Direction {
  const char *medium, *small, *any, *tf32, *bf16;
  bool alongA, alongB;
};
constexpr Direction kForward{"conv2d/forward_medium", "conv2d/forward_small", "conv2d/forward_any",
                             "conv2d_tensor/forward_tf32", "conv2d_tensor/forward_bf16", false, true};
constexpr Direction kData{"conv2d/data_medium", "conv2d/data_small", "conv2d/data_any",
                          "conv2d_tensor/data_tf32", "conv2d_tensor/data_bf16", false, false};
constexpr Direction kWeight{"conv2d/weight_medium", "conv2d/weight_small", "conv2d/weight_any",
                            "conv2d_tensor/weight_tf32", "conv2d_tensor/weight_bf16", true, true};

// The tile that keeps a GPU busy: the larger one where there are enough of them. Matrix units where they were asked for and are not
// left mostly empty.
Choice choose(const Call& call, const Direction& direction, bool fours, uint64_t rows, uint64_t columns, uint64_t others) {
  if (!fours) return {direction.any, 64, 0};
  const Precision precision = call.traits().precision;
  if (precision != Precision::f32 && rows > 32 && columns > 32)
    return {precision == Precision::tf32 ? direction.tf32 : direction.bf16, 128, tensorSharedBytes(direction.alongA, direction.alongB)};
  const uint64_t tiles = static_cast<uint64_t>(ceilDiv(static_cast<int64_t>(rows), 128)) * ceilDiv(static_cast<int64_t>(columns), 128);
  if (columns > 64 && tiles * others >= kTypicalMultiprocessors) return {direction.medium, 128, 0};
  return {direction.small, 64, 0};
}

uint32_t tilesOf(const Choice& choice, uint32_t rows, uint32_t columns) {
  return ceilDiv(rows, choice.tile) * ceilDiv(columns, choice.tile);
}

void launchProduct(const Call& call, ConvProductArgs& args, uint32_t lines, uint32_t lineLength, uint32_t groups, bool fours, bool forward) {
  args.k = static_cast<uint32_t>(args.down.count * args.across.count) * args.depth;
  args.byDepth = Divider::by(args.depth);
  args.byTapsAcross = Divider::by(std::max(1u, static_cast<uint32_t>(args.across.count)));
  args.byLine = Divider::by(lineLength);
  args.byImage = Divider::by(lines);
  const Choice choice = choose(call, forward ? kForward : kData, fours, args.rows, args.columns, groups);
  call.launch(choice.kernel, {tilesOf(choice, args.rows, args.columns), groups}, {kBlock}, args, choice.sharedBytes);
}

// Places and k are 31 bits in the kernels.
void mustFit(uint64_t count, const char* what) {
  if (count >= uint64_t{1} << 31) raise(Code::range, "expected fewer than 2^31 %s, received %llu", what, static_cast<unsigned long long>(count));
}

// The taps that lie a whole number of strides from pixel `phase` (conv2d/backward_data.wgsl).
TapWalk tapsOf(uint32_t phase, uint32_t stride, uint32_t pad, uint32_t dilation, uint32_t kernel) {
  uint32_t step = 1;
  while (step * dilation % stride != 0) ++step;
  uint32_t first = 0;
  while (first < std::min(kernel, step) && first * dilation % stride != (phase + pad) % stride) ++first;
  const bool any = first < std::min(kernel, step);
  return {static_cast<int>(first), static_cast<int>(step), any ? static_cast<int>((kernel - first + step - 1) / step) : 0,
          -static_cast<int>(step * dilation / stride)};
}

}  // namespace

void conv2d(Call& call) {
  const auto& p = call.as<Conv2dParams>();
  if (static_cast<uint64_t>(p.n) * p.oh * p.ow == 0) return;
  mustFit(static_cast<uint64_t>(p.n) * p.oh * p.ow, "positions");
  mustFit(static_cast<uint64_t>(p.kh) * p.kw * p.c, "weights of a channel");
  ConvProductArgs args{};
  args.source = call.input<float>(0);
  args.weights = call.input<float>(1);
  args.bias = call.input<float>(2);
  args.result = call.output<float>(0);
  args.rows = p.n * p.oh * p.ow;
  args.columns = p.oc / p.groups;
  args.depth = p.c / p.groups;
  args.down = {0, 1, static_cast<int>(p.kh), static_cast<int>(p.dilationH)};
  args.across = {0, 1, static_cast<int>(p.kw), static_cast<int>(p.dilationW)};
  args.sourceH = static_cast<int>(p.h), args.sourceW = static_cast<int>(p.w), args.sourceC = static_cast<int>(p.c);
  args.stepDown = static_cast<int>(p.strideH), args.stepAcross = static_cast<int>(p.strideW);
  args.beginDown = -static_cast<int>(p.padTop), args.beginAcross = -static_cast<int>(p.padLeft);
  args.resultH = static_cast<int>(p.oh), args.resultW = static_cast<int>(p.ow), args.resultC = static_cast<int>(p.oc);
  args.strideDown = args.strideAcross = 1;
  args.kernelW = static_cast<int>(p.kw);
  args.weightsPitch = static_cast<int>(p.oc), args.weightsRows = static_cast<int>(args.depth);
  args.least = leastOf(p.activation);
  const bool aligned = alignedBy16(args.source) && alignedBy16(args.weights);
  args.fours = args.columns % 4 == 0 && alignedBy16(args.result);
  launchProduct(call, args, p.oh, p.ow, p.groups, aligned && args.columns % 4 == 0 && args.depth % 4 == 0, true);
  activateAfter(call, args.result, p.activation);
}

void conv2d_backward_data(Call& call) {
  const auto& p = call.as<Conv2dParams>();
  if (static_cast<uint64_t>(p.n) * p.h * p.w == 0) return;
  mustFit(static_cast<uint64_t>(p.n) * p.h * p.w, "positions");
  mustFit(static_cast<uint64_t>(p.kh) * p.kw * p.oc, "weights of a channel");
  ConvProductArgs args{};
  args.least = leastOf(0);
  args.source = call.input<float>(0);
  args.weights = call.input<float>(1);
  args.result = call.output<float>(0);
  args.columns = p.c / p.groups;
  args.depth = p.oc / p.groups;
  args.sourceH = static_cast<int>(p.oh), args.sourceW = static_cast<int>(p.ow), args.sourceC = static_cast<int>(p.oc);
  args.stepDown = args.stepAcross = 1;
  args.resultH = static_cast<int>(p.h), args.resultW = static_cast<int>(p.w), args.resultC = static_cast<int>(p.c);
  args.strideDown = static_cast<int>(p.strideH), args.strideAcross = static_cast<int>(p.strideW);
  args.kernelW = static_cast<int>(p.kw);
  args.weightsPitch = static_cast<int>(p.oc), args.weightsRows = static_cast<int>(args.columns);
  const bool aligned = alignedBy16(args.source) && alignedBy16(args.weights);
  const bool fours = aligned && args.depth % 4 == 0;
  args.fours = args.columns % 4 == 0 && alignedBy16(args.result);
  const bool empty = p.oh * p.ow == 0;
  for (uint32_t i = 0; i < std::min(p.strideH, p.h); ++i) {
    for (uint32_t j = 0; j < std::min(p.strideW, p.w); ++j) {
      args.down = tapsOf(i, p.strideH, p.padTop, p.dilationH, p.kh);
      args.across = tapsOf(j, p.strideW, p.padLeft, p.dilationW, p.kw);
      if (empty) args.down.count = args.across.count = 0;
      // Divisible where there are taps.
      args.beginDown = (static_cast<int>(i + p.padTop) - args.down.first * static_cast<int>(p.dilationH)) / static_cast<int>(p.strideH);
      args.beginAcross = (static_cast<int>(j + p.padLeft) - args.across.first * static_cast<int>(p.dilationW)) / static_cast<int>(p.strideW);
      args.firstDown = static_cast<int>(i), args.firstAcross = static_cast<int>(j);
      const uint32_t lines = ceilDiv(p.h - i, p.strideH), length = ceilDiv(p.w - j, p.strideW);
      args.rows = p.n * lines * length;
      launchProduct(call, args, lines, length, p.groups, fours, false);
    }
  }
}

void conv2d_backward_weight(Call& call) {
  const auto& p = call.as<Conv2dParams>();
  ConvWeightArgs args{};
  args.x = call.input<float>(0);
  args.dy = call.input<float>(1);
  args.dw = call.output<float>(0);
  args.params = p;
  args.columns = p.oc / p.groups;
  mustFit(static_cast<uint64_t>(p.n) * p.oh * p.ow, "positions");
  mustFit(static_cast<uint64_t>(p.kh) * p.kw * p.c, "weights of a channel");
  const uint32_t depth = p.c / p.groups;
  args.rows = p.kh * p.kw * depth;
  args.positions = p.n * p.oh * p.ow;
  args.byDepth = Divider::by(depth);
  args.byKernelW = Divider::by(p.kw);
  args.byLine = Divider::by(std::max(1u, p.ow));
  args.byImage = Divider::by(std::max(1u, p.oh));
  args.accumulate = p.accumulate;
  const bool fours = alignedBy16(args.x) && alignedBy16(args.dy) && args.columns % 4 == 0 && depth % 4 == 0;
  const Choice choice = choose(call, kWeight, fours, args.rows, args.columns, p.groups);
  const uint32_t tiles = tilesOf(choice, args.rows, args.columns);
  // More than for a product: positions are many, and a chain of additions over all of them would lose digits.
  const Parts parts = partsOf(args.positions, std::max<uint64_t>(1, static_cast<uint64_t>(tiles) * p.groups / 4), 65535);
  args.part = parts.length, args.parts = parts.count;
  args.fours = args.columns % 4 == 0 && alignedBy16(args.dw);
  const Span<float> dw = args.dw;
  if (parts.count > 1) {
    args.dw = call.scratch<float>(static_cast<int64_t>(args.rows) * p.oc * parts.count);
    args.accumulate = 0;
    args.fours = args.columns % 4 == 0;
  }
  call.launch(choice.kernel, {tiles, p.groups, parts.count}, {kBlock}, args, choice.sharedBytes);
  if (parts.count > 1) sumParts(call, args.dw, {nullptr, 0}, dw, p.oc, parts.count, p.accumulate, 0);

  const Span<float> db = call.output<float>(1);
  if (!db.present()) return;
  const Parts biasParts = partsOf(args.positions, ceilDiv(p.oc, 32), 65535);
  ConvBiasArgs bias{args.dy, call.scratch<float>(static_cast<int64_t>(p.oc) * biasParts.count), args.positions, p.oc, biasParts.length};
  call.launch("conv2d/bias_gradient", {ceilDiv(p.oc, 32), biasParts.count}, {kBlock}, bias);
  sumParts(call, bias.sums, {nullptr, 0}, db, p.oc, biasParts.count, p.accumulate, 0);
}

}  // namespace anneal::cuda::ops
