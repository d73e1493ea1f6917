// adam on CUDA (contract: adam.h; the walk over the arena: common/arena_update.cuh).
//
// 28 to 44 bytes and some 15 flops an element, a division and a square root among them, which are rounded to nearest: about 60
// instructions, where a GPU has time for some 200. Memory binds; each stream is read and written once, by 16 bytes an access where
// all of them lie on a boundary of that, else by the element.
#include "../common/arena_update.cuh"
#include "adam.cuda.h"

namespace anneal::cuda {
namespace {

struct AdamRule {
  const AdamArgs& args;
  float factor;
  float decay;  // weightDecay in Adam, where it joins the gradient; rate * weightDecay in AdamW, where it joins the update
  float rate, correction;

  template <int W> ANNEAL_GPU void step(int64_t i, Norms& norms) const {
    using Group = Floats<W>;
    const AdamParams& p = args.params;
    const bool hasMax = args.vMax.present(), hasEma = args.ema.present(), decoupled = p.decoupled != 0;
    const Group grad = args.grads.as<Group>(i);
    Group weight = args.weights.as<Group>(i), m = args.m.as<Group>(i), v = args.v.as<Group>(i);
    Group vMax = hasMax ? args.vMax.as<Group>(i) : zeros<W>();
    Group ema = hasEma ? args.ema.as<Group>(i) : zeros<W>();
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const float before = weight.at[k];
      const float g = decoupled ? factor * grad.at[k] : factor * grad.at[k] + decay * before;
      m.at[k] = p.beta1 * m.at[k] + p.beta1Rate * g;
      v.at[k] = p.beta2 * v.at[k] + p.beta2Rate * (g * g);
      vMax.at[k] = vMax.at[k] > v.at[k] ? vMax.at[k] : v.at[k];
      const float second = hasMax ? vMax.at[k] : v.at[k];
      float update = rate * m.at[k] / (sqrtf(second) * correction + p.eps);
      if (decoupled) update += decay * before;
      weight.at[k] = before - update;
      ema.at[k] += p.emaRate * (weight.at[k] - ema.at[k]);
      norms.add(update, before);
    }
    args.weights.as<Group>(i) = weight;
    args.m.as<Group>(i) = m;
    args.v.as<Group>(i) = v;
    if (hasMax) args.vMax.as<Group>(i) = vMax;
    if (hasEma) args.ema.as<Group>(i) = ema;
  }
};

template <int W> ANNEAL_GPU void update(const AdamArgs& args) {
  updateArena<W>(args.arena, [&](const ArenaSegment& segment, float factor) {
    const AdamParams& p = args.params;
    const float rate = p.lr * segment.lrScale;
    const float decay = p.decoupled != 0 ? rate * segment.weightDecay : segment.weightDecay;
    return AdamRule{args, factor, decay, rate / p.correction1, 1.0f / p.correction2};
  });
}

}  // namespace

extern "C" __global__ void __launch_bounds__(128) adam_update4(const AdamArgs args) { update<4>(args); }

extern "C" __global__ void __launch_bounds__(128) adam_update1(const AdamArgs args) { update<1>(args); }

extern "C" __global__ void __launch_bounds__(256) adam_norms(const ArenaNormsArgs args) { sumNorms(args); }

}  // namespace anneal::cuda
