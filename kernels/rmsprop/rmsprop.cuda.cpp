// How rmsprop is launched on CUDA.
#include "rmsprop.cuda.h"

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {

void rmsprop(Call& call) {
  const auto& p = call.as<RmspropParams>();
  const Span<float> stats = call.output<float>(5);
  const RmspropArgs args{arenaOf(call, p, stats.present()), call.input<float>(0), call.output<float>(0), call.output<float>(1),
                         call.output<float>(2), call.output<float>(3), call.output<float>(4), p};
  const bool fours = alignedBy16(args.grads) && alignedBy16(args.weights) && alignedBy16(args.v) && alignedBy16(args.meanGrad) &&
                     alignedBy16(args.momentum) && alignedBy16(args.ema);
  call.launch(fours ? "rmsprop/rmsprop_update4" : "rmsprop/rmsprop_update1", {ceilDiv(p.n, kArenaBlock)}, {kArenaThreads}, args);
  if (stats.present()) call.launch("rmsprop/rmsprop_norms", {p.segments}, {kNormsThreads}, ArenaNormsArgs{args.arena, stats});
}

}  // namespace anneal::cuda::ops
