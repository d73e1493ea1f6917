// How the depthwise convolutions are launched on CUDA.
#include "depthwise_conv2d.cuda.h"

#include <algorithm>

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {
namespace {

using Params = DepthwiseConv2dParams;

// Backward-weight: as many parts as make this many threads, enough for a large GPU; at least so many positions in each, and no more
// parts than a second launch adds quickly (32 for each of its threads).
constexpr int64_t kWantedThreads = 1 << 16;
constexpr int64_t kPartPositions = 64;
constexpr int64_t kMostParts = 32 * kPartLanes;

// The kernel for a row of the kernel's taps: general ones by one channel and by four, those of widths 3 and 5 by strides 1 and 2.
struct Kernels {
  const char *one, *four;
  const char* usual[2][2];
};
constexpr Kernels kForward{"depthwise_conv2d/depthwise1",
                           "depthwise_conv2d/depthwise4",
                           {{"depthwise_conv2d/depthwise4_k3", "depthwise_conv2d/depthwise4_k3_s2"},
                            {"depthwise_conv2d/depthwise4_k5", "depthwise_conv2d/depthwise4_k5_s2"}}};
constexpr Kernels kWeight{"depthwise_conv2d/depthwise_weight1",
                          "depthwise_conv2d/depthwise_weight4",
                          {{"depthwise_conv2d/depthwise_weight4_k3", "depthwise_conv2d/depthwise_weight4_k3_s2"},
                           {"depthwise_conv2d/depthwise_weight4_k5", "depthwise_conv2d/depthwise_weight4_k5_s2"}}};

bool isUsual(const Params& p) { return p.dilationW == 1 && (p.kw == 3 || p.kw == 5) && p.strideW <= 2; }

const char* kernelFor(const Kernels& kernels, const Params& p, bool fours) {
  if (!fours) return kernels.one;
  return isUsual(p) ? kernels.usual[p.kw == 3 ? 0 : 1][p.strideW - 1] : kernels.four;
}

bool comesByFours(const Params& p) { return p.m == 1 && p.c % 4 == 0; }

void launchForward(const Call& call, const DepthwiseForwardArgs& args) {
  const Params& p = args.params;
  const bool fours = comesByFours(p) && alignedBy16(args.x) && alignedBy16(args.w) && alignedBy16(args.bias) && alignedBy16(args.y);
  const int64_t groups = int64_t{p.c} * p.m / (fours ? 4 : 1);
  const int64_t threads = int64_t{p.n} * p.oh * ceilDiv(p.ow, kPositions) * groups;
  call.launch(kernelFor(kForward, p, fours), {ceilDiv(threads, kDepthwiseThreads)}, {kDepthwiseThreads}, args);
}

}  // namespace

void depthwise_conv2d(Call& call) {
  const auto& p = call.as<Params>();
  launchForward(call, {call.input<float>(0), call.input<float>(1), call.input<float>(2), call.output<float>(0), p, p.padTop, p.padLeft, 0});
}

void depthwise_conv2d_backward_data(Call& call) {
  const auto& p = call.as<Params>();
  const DepthwiseDataArgs args{call.input<float>(0), call.input<float>(1), call.output<float>(0), p};
  if (p.strideH == 1 && p.strideW == 1 && p.m == 1) {
    Params turned = p;
    std::swap(turned.h, turned.oh);
    std::swap(turned.w, turned.ow);
    const int64_t padTop = int64_t{p.kh - 1} * p.dilationH - p.padTop, padLeft = int64_t{p.kw - 1} * p.dilationW - p.padLeft;
    launchForward(call, {args.dy, args.w, {nullptr, 0}, args.dx, turned, padTop, padLeft, 1});
    return;
  }
  const bool fours = comesByFours(p) && alignedBy16(args.dy) && alignedBy16(args.w) && alignedBy16(args.dx);
  const int64_t threads = int64_t{p.n} * p.h * p.w * (p.c / (fours ? 4 : 1));
  call.launch(fours ? "depthwise_conv2d/depthwise_data4" : "depthwise_conv2d/depthwise_data1", {ceilDiv(threads, kDepthwiseThreads)},
              {kDepthwiseThreads}, args);
}

void depthwise_conv2d_backward_weight(Call& call) {
  const auto& p = call.as<Params>();
  DepthwiseWeightArgs args{};
  args.x = call.input<float>(0);
  args.dy = call.input<float>(1);
  args.dw = call.output<float>(0);
  args.dbias = call.output<float>(1);
  args.params = p;
  const int64_t channels = int64_t{p.c} * p.m, taps = int64_t{p.kh} * p.kw, bias = args.dbias.present() ? 1 : 0;
  const bool fours = comesByFours(p) && alignedBy16(args.x) && alignedBy16(args.dy);
  const int64_t lines = (fours && isUsual(p) ? p.kh : taps) + bias, across = channels / (fours ? 4 : 1);
  if (channels == 0) return;
  const int64_t rows = int64_t{p.n} * p.oh;
  const int64_t wanted = std::min<int64_t>({ceilDiv(kWantedThreads, lines * across), ceilDiv(rows * p.ow, kPartPositions), rows, kMostParts});
  args.rowsEach = ceilDiv(rows, std::max<int64_t>(wanted, 1));
  args.parts = rows == 0 ? 0 : ceilDiv(rows, args.rowsEach);
  args.sums = call.scratch<float>(args.parts * (taps + bias) * channels);
  call.launch(kernelFor(kWeight, p, fours), {ceilDiv(args.parts * lines * across, kDepthwiseThreads)}, {kDepthwiseThreads}, args);
  call.launch("depthwise_conv2d/depthwise_add_parts", {ceilDiv((taps + bias) * channels, 32)}, {32, kPartLanes}, args);
}

}  // namespace anneal::cuda::ops
