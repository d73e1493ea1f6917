// CPU body of adam: every stream is read and written once, in blocks over the flat arena.
#include "adam.h"

#include "../common/arena_update.h"

namespace anneal::ANNEAL_ISA {

namespace {

enum : uint32_t { kGrads, kParams, kM, kV, kVMax, kEma };

// The update of one segment, for one vector of elements at i. `decay` is weightDecay in Adam, where it joins the
// gradient, and rate * weightDecay in AdamW, where it joins the update.
template <bool Decoupled, bool AmsGrad, bool Ema> struct AdamRule {
  vf factor, decay, step, beta1, beta1Rate, beta2, beta2Rate, correction, eps, emaRate;

  inline Change operator()(const Streams& s, int64_t i) const {
    const vf weight = load(s.at[kParams] + i);
    vf g = factor * load(s.at[kGrads] + i);
    if (!Decoupled) g = g + decay * weight;
    const vf m = beta1 * load(s.at[kM] + i) + beta1Rate * g;
    const vf v = beta2 * load(s.at[kV] + i) + beta2Rate * (g * g);
    store(s.at[kM] + i, m);
    store(s.at[kV] + i, v);
    vf second = v;
    if (AmsGrad) {
      second = max(load(s.at[kVMax] + i), v);  // max(a, b) is b where either is NaN: v is NaN from then on
      store(s.at[kVMax] + i, second);
    }
    vf update = step * m / (squareRoot(second) * correction + eps);
    if (Decoupled) update = update + decay * weight;
    const vf next = weight - update;
    store(s.at[kParams] + i, next);
    if (Ema) updateEma(s.at[kEma] + i, next, emaRate);
    return {update, weight};
  }
};

template <bool Decoupled, bool AmsGrad, bool Ema>
void run(const OpCall& call, const AdamParams& p, const Streams& streams) {
  const float factor = gradientFactor(p.gradScale, p.clipNorm, optionalIn(call, 2));
  updateArena(call.exec, p.n, call.input<Segment>(1), p.segments, streams, optionalOut(call, 5),
              [&](const Segment& segment) {
                const float rate = p.lr * segment.lrScale;
                return AdamRule<Decoupled, AmsGrad, Ema>{splat(factor),
                                                         splat((Decoupled ? rate : 1.0f) * segment.weightDecay),
                                                         splat(rate / p.correction1),
                                                         splat(p.beta1),
                                                         splat(p.beta1Rate),
                                                         splat(p.beta2),
                                                         splat(p.beta2Rate),
                                                         splat(1.0f / p.correction2),
                                                         splat(p.eps),
                                                         splat(p.emaRate)};
              });
}

template <bool Decoupled> void runVariant(const OpCall& call, const AdamParams& p, const Streams& streams) {
  const bool ema = streams.at[kEma] != nullptr;
  if (streams.at[kVMax] != nullptr)
    return ema ? run<Decoupled, true, true>(call, p, streams) : run<Decoupled, true, false>(call, p, streams);
  return ema ? run<Decoupled, false, true>(call, p, streams) : run<Decoupled, false, false>(call, p, streams);
}

}  // namespace

void adam(const OpCall& call) {
  const auto& p = call.as<AdamParams>();
  const Streams streams{{const_cast<float*>(call.input<float>(0)), call.output<float>(0), call.output<float>(1),
                         call.output<float>(2), optionalOut(call, 3), optionalOut(call, 4)}};
  if (p.decoupled != 0) return runVariant<true>(call, p, streams);
  return runVariant<false>(call, p, streams);
}

}  // namespace anneal::ANNEAL_ISA
