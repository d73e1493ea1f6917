// How pooling is launched on CUDA.
#include "pool2d.cuda.h"

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {
namespace {

// A thread for each four channels of `pixels` pixels, or for each channel.
Dim gridOf(const Pool2dParams& p, int64_t pixels, bool fours) { return {ceilDiv(pixels * (p.c / (fours ? 4 : 1)), kPoolThreads)}; }

void forward(Call& call, const char* four, const char* one) {
  const auto& p = call.as<Pool2dParams>();
  const PoolArgs args{call.input<float>(0), call.output<float>(0), call.output<int32_t>(1), p};
  const bool fours = p.c % 4 == 0 && alignedBy16(args.x) && alignedBy16(args.y) && alignedBy16(args.argmax);
  call.launch(fours ? four : one, gridOf(p, int64_t{p.n} * p.oh * p.ow, fours), {kPoolThreads}, args);
}

void backward(Call& call, const char* four, const char* one) {
  const auto& p = call.as<Pool2dParams>();
  const PoolBackwardArgs args{call.input<float>(0), call.input<int32_t>(1), call.output<float>(0), p};
  const bool fours = p.c % 4 == 0 && alignedBy16(args.dy) && alignedBy16(args.argmax) && alignedBy16(args.dx);
  call.launch(fours ? four : one, gridOf(p, int64_t{p.n} * p.h * p.w, fours), {kPoolThreads}, args);
}

}  // namespace

void max_pool2d(Call& call) { forward(call, "pool2d/max_pool4", "pool2d/max_pool1"); }
void max_pool2d_backward(Call& call) { backward(call, "pool2d/max_pool_backward4", "pool2d/max_pool_backward1"); }
void avg_pool2d(Call& call) { forward(call, "pool2d/average_pool4", "pool2d/average_pool1"); }
void avg_pool2d_backward(Call& call) { backward(call, "pool2d/average_pool_backward4", "pool2d/average_pool_backward1"); }

}  // namespace anneal::cuda::ops
