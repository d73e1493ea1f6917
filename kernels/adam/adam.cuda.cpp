// How adam is launched on CUDA.
#include "adam.cuda.h"

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {

void adam(Call& call) {
  const auto& p = call.as<AdamParams>();
  const Span<float> stats = call.output<float>(5);
  const AdamArgs args{arenaOf(call, p, stats.present()), call.input<float>(0), call.output<float>(0), call.output<float>(1),
                      call.output<float>(2), call.output<float>(3), call.output<float>(4), p};
  const bool fours = alignedBy16(args.grads) && alignedBy16(args.weights) && alignedBy16(args.m) && alignedBy16(args.v) &&
                     alignedBy16(args.vMax) && alignedBy16(args.ema);
  call.launch(fours ? "adam/adam_update4" : "adam/adam_update1", {ceilDiv(p.n, kArenaBlock)}, {kArenaThreads}, args);
  if (stats.present()) call.launch("adam/adam_norms", {p.segments}, {kNormsThreads}, ArenaNormsArgs{args.arena, stats});
}

}  // namespace anneal::cuda::ops
