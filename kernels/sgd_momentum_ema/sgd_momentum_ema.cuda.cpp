// How sgd_momentum_ema is launched on CUDA.
#include "sgd_momentum_ema.cuda.h"

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {

void sgd_momentum_ema(Call& call) {
  const auto& p = call.as<SgdMomentumEmaParams>();
  const Span<float> stats = call.output<float>(3);
  const SgdArgs args{arenaOf(call, p, stats.present()), call.input<float>(0), call.output<float>(0), call.output<float>(1),
                     call.output<float>(2), p};
  const bool fours = alignedBy16(args.grads) && alignedBy16(args.weights) && alignedBy16(args.momentum) && alignedBy16(args.ema);
  call.launch(fours ? "sgd_momentum_ema/sgd_update4" : "sgd_momentum_ema/sgd_update1", {ceilDiv(p.n, kArenaBlock)}, {kArenaThreads}, args);
  if (stats.present()) call.launch("sgd_momentum_ema/sgd_norms", {p.segments}, {kNormsThreads}, ArenaNormsArgs{args.arena, stats});
}

}  // namespace anneal::cuda::ops
