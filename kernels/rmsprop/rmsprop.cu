// rmsprop on CUDA (contract: rmsprop.h; the walk over the arena: common/arena_update.cuh).
//
// 20 to 44 bytes and 11 to 21 flops an element, a division and a square root among them, which are rounded to nearest: about 60
// instructions, where a GPU has time for some 150. Memory binds; each stream is read and written once, by 16 bytes an access where
// all of them lie on a boundary of that, else by the element.
#include "../common/arena_update.cuh"
#include "rmsprop.cuda.h"

namespace anneal::cuda {
namespace {

struct RmspropRule {
  const RmspropArgs& args;
  float factor, weightDecay, rate;

  template <int W> ANNEAL_GPU void step(int64_t i, Norms& norms) const {
    using Group = Floats<W>;
    const RmspropParams& p = args.params;
    const bool centered = args.meanGrad.present(), hasMomentum = args.momentum.present(), hasEma = args.ema.present();
    const Group grad = args.grads.as<Group>(i);
    Group weight = args.weights.as<Group>(i), v = args.v.as<Group>(i);
    Group mean = centered ? args.meanGrad.as<Group>(i) : zeros<W>();
    Group momentum = hasMomentum ? args.momentum.as<Group>(i) : zeros<W>();
    Group ema = hasEma ? args.ema.as<Group>(i) : zeros<W>();
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const float before = weight.at[k];
      const float g = factor * grad.at[k] + weightDecay * before;
      float second = p.alpha * v.at[k] + p.alphaRate * (g * g);
      v.at[k] = second;
      mean.at[k] = p.alpha * mean.at[k] + p.alphaRate * g;
      if (centered) {
        const float variance = second - mean.at[k] * mean.at[k];
        second = variance < 0.0f ? 0.0f : variance;
      }
      const float d = g / (sqrtf(second) + p.eps);
      momentum.at[k] = hasMomentum ? p.momentum * momentum.at[k] + d : d;
      const float update = rate * momentum.at[k];
      weight.at[k] = before - update;
      ema.at[k] += p.emaRate * (weight.at[k] - ema.at[k]);
      norms.add(update, before);
    }
    args.weights.as<Group>(i) = weight;
    args.v.as<Group>(i) = v;
    if (centered) args.meanGrad.as<Group>(i) = mean;
    if (hasMomentum) args.momentum.as<Group>(i) = momentum;
    if (hasEma) args.ema.as<Group>(i) = ema;
  }
};

template <int W> ANNEAL_GPU void update(const RmspropArgs& args) {
  updateArena<W>(args.arena, [&](const ArenaSegment& segment, float factor) {
    return RmspropRule{args, factor, segment.weightDecay, args.params.lr * segment.lrScale};
  });
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128) rmsprop_update4(const RmspropArgs args) { update<4>(args); }

extern "C" __global__ void __launch_bounds__(128) rmsprop_update1(const RmspropArgs args) { update<1>(args); }

extern "C" __global__ void __launch_bounds__(256) rmsprop_norms(const ArenaNormsArgs args) { sumNorms(args); }

}  // namespace anneal::cuda
