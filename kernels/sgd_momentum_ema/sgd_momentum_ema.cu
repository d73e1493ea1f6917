// sgd_momentum_ema on CUDA (contract: sgd_momentum_ema.h; the walk over the arena: common/arena_update.cuh).
//
// 28 bytes and 10 flops an element: memory binds, so each stream is read and written once, by 16 bytes an access where all of them lie on
// a boundary of that, else by the element. Momentum and EMA are there or not for all threads of a launch alike, so the branches
// on them cost an instruction. A first step does not read the momentum.
#include "../common/arena_update.cuh"
#include "sgd_momentum_ema.cuda.h"

namespace anneal::cuda {
namespace {

struct SgdRule {
  const SgdArgs& args;
  float factor, weightDecay, rate;

  template <int W> ANNEAL_GPU void step(int64_t i, Norms& norms) const {
    using Group = Floats<W>;
    const SgdMomentumEmaParams& p = args.params;
    const bool hasMomentum = args.momentum.present(), hasEma = args.ema.present(), first = p.first != 0;
    const Group grad = args.grads.as<Group>(i);
    Group weight = args.weights.as<Group>(i);
    Group v = hasMomentum && !first ? args.momentum.as<Group>(i) : zeros<W>();
    Group ema = hasEma ? args.ema.as<Group>(i) : zeros<W>();
    const float gradWeight = first ? 1.0f : 1.0f - p.dampening;
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const float before = weight.at[k];
      const float g = factor * grad.at[k] + weightDecay * before;
      v.at[k] = p.momentum * v.at[k] + gradWeight * g;
      const float d = !hasMomentum ? g : p.nesterov != 0 ? g + p.momentum * v.at[k] : v.at[k];
      const float update = rate * d;
      weight.at[k] = before - update;
      ema.at[k] += p.emaRate * (weight.at[k] - ema.at[k]);
      norms.add(update, before);
    }
    args.weights.as<Group>(i) = weight;
    if (hasMomentum) args.momentum.as<Group>(i) = v;
    if (hasEma) args.ema.as<Group>(i) = ema;
  }
};

template <int W> ANNEAL_GPU void update(const SgdArgs& args) {
  updateArena<W>(args.arena, [&](const ArenaSegment& segment, float factor) {
    return SgdRule{args, factor, segment.weightDecay, args.params.lr * segment.lrScale};
  });
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128) sgd_update4(const SgdArgs args) { update<4>(args); }

extern "C" __global__ void __launch_bounds__(128) sgd_update1(const SgdArgs args) { update<1>(args); }

extern "C" __global__ void __launch_bounds__(256) sgd_norms(const ArenaNormsArgs args) { sumNorms(args); }

}  // namespace anneal::cuda
