// How the limit loops are launched on CUDA.
#include "limit.cuda.h"

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {
namespace {

constexpr uint32_t kBlock = 256;
constexpr int64_t kChains = 16;  // of a thread, as in limit.cu

}  // namespace

void limit(Call& call) {
  LimitArgs args{call.input<float>(0),  call.input<float>(1),  call.output<float>(0), call.output<float>(1), call.output<float>(2),
                 call.output<float>(3), call.as<LimitParams>(), 0,                    0.5f,                  1.0f};
  const int64_t n = args.params.n;
  // What is absent lies at 0.
  args.fours = alignedBy16(args.x) && alignedBy16(args.y) && alignedBy16(args.out) && alignedBy16(args.second) && alignedBy16(args.third) &&
               alignedBy16(args.fourth);
  const Dim stream = {ceilDiv(n, kBlock * (args.fours != 0 ? 4 : 1))};
  switch (static_cast<LimitKind>(args.params.kind)) {
    case LimitKind::fma:
      args.fours = alignedBy16(args.out);
      call.launch("limit/fma_chains", {ceilDiv(n * kFmaChains, kBlock * kChains)}, {kBlock}, args);
      return;
    case LimitKind::read:
      args.fours = alignedBy16(args.x) && args.params.block % 4 == 0;
      call.launch("limit/read_blocks", {ceilDiv(n, args.params.block)}, {kBlock}, args);
      return;
    case LimitKind::triad: call.launch("limit/triad", stream, {kBlock}, args); return;
    case LimitKind::sgd: call.launch("limit/sgd", stream, {kBlock}, args); return;
    case LimitKind::adamw: call.launch("limit/adamw", stream, {kBlock}, args); return;
  }
}

}  // namespace anneal::cuda::ops
