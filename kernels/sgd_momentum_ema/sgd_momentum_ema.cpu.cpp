// CPU body of sgd_momentum_ema: every stream is read and written once, in blocks over the flat arena.
#include "sgd_momentum_ema.h"

#include "../common/arena_update.h"

namespace anneal::ANNEAL_ISA {

namespace {

enum : uint32_t { kGrads, kParams, kMomentum, kEma };

// The update of one segment, for one vector of elements at i.
template <bool Momentum, bool Nesterov, bool Ema> struct SgdRule {
  vf factor, weightDecay, rate, momentum, gradWeight, emaRate;
  vi keep;  // all ones, or zero where the momentum buffer holds nothing yet

  inline Change operator()(const Streams& s, int64_t i) const {
    const vf weight = load(s.at[kParams] + i);
    const vf g = factor * load(s.at[kGrads] + i) + weightDecay * weight;
    vf d = g;
    if (Momentum) {
      const vf old = fromBits(bits(load(s.at[kMomentum] + i)) & keep);
      const vf v = momentum * old + gradWeight * g;
      store(s.at[kMomentum] + i, v);
      d = Nesterov ? g + momentum * v : v;
    }
    const vf update = rate * d;
    const vf next = weight - update;
    store(s.at[kParams] + i, next);
    if (Ema) updateEma(s.at[kEma] + i, next, emaRate);
    return {update, weight};
  }
};

template <bool Momentum, bool Nesterov, bool Ema>
void run(const OpCall& call, const SgdMomentumEmaParams& p, const Streams& streams) {
  const float factor = gradientFactor(p.gradScale, p.clipNorm, optionalIn(call, 2));
  updateArena(call.exec, p.n, call.input<Segment>(1), p.segments, streams, optionalOut(call, 3),
              [&](const Segment& segment) {
                return SgdRule<Momentum, Nesterov, Ema>{splat(factor),
                                                        splat(segment.weightDecay),
                                                        splat(p.lr * segment.lrScale),
                                                        splat(p.momentum),
                                                        splat(p.first != 0 ? 1.0f : 1.0f - p.dampening),
                                                        splat(p.emaRate),
                                                        splati(p.first != 0 ? 0 : -1)};
              });
}

}  // namespace

void sgd_momentum_ema(const OpCall& call) {
  const auto& p = call.as<SgdMomentumEmaParams>();
  const Streams streams{
      {const_cast<float*>(call.input<float>(0)), call.output<float>(0), optionalOut(call, 1), optionalOut(call, 2)}};
  const bool momentum = streams.at[kMomentum] != nullptr;
  const bool ema = streams.at[kEma] != nullptr;
  if (!momentum) return ema ? run<false, false, true>(call, p, streams) : run<false, false, false>(call, p, streams);
  if (p.nesterov != 0)
    return ema ? run<true, true, true>(call, p, streams) : run<true, true, false>(call, p, streams);
  return ema ? run<true, false, true>(call, p, streams) : run<true, false, false>(call, p, streams);
}

}  // namespace anneal::ANNEAL_ISA
