// CPU body of rmsprop: every stream is read and written once, in blocks over the flat arena.
#include "rmsprop.h"

#include "../common/arena_update.h"

namespace anneal::ANNEAL_ISA {

namespace {

enum : uint32_t { kGrads, kParams, kV, kMeanGrad, kMomentum, kEma };

// The update of one segment, for one vector of elements at i.
template <bool Centered, bool Momentum, bool Ema> struct RmspropRule {
  vf factor, weightDecay, rate, alpha, alphaRate, eps, momentum, emaRate;

  inline Change operator()(const Streams& s, int64_t i) const {
    const vf weight = load(s.at[kParams] + i);
    const vf g = factor * load(s.at[kGrads] + i) + weightDecay * weight;
    vf second = alpha * load(s.at[kV] + i) + alphaRate * (g * g);
    store(s.at[kV] + i, second);
    if (Centered) {
      const vf mean = alpha * load(s.at[kMeanGrad] + i) + alphaRate * g;
      store(s.at[kMeanGrad] + i, mean);
      second = second - mean * mean;
      second = select(second < vf{}, vf{}, second);  // not max(): a NaN stays
    }
    vf d = g / (squareRoot(second) + eps);
    if (Momentum) {
      d = momentum * load(s.at[kMomentum] + i) + d;
      store(s.at[kMomentum] + i, d);
    }
    const vf update = rate * d;
    const vf next = weight - update;
    store(s.at[kParams] + i, next);
    if (Ema) updateEma(s.at[kEma] + i, next, emaRate);
    return {update, weight};
  }
};

template <bool Centered, bool Momentum, bool Ema>
void run(const OpCall& call, const RmspropParams& p, const Streams& streams) {
  const float factor = gradientFactor(p.gradScale, p.clipNorm, optionalIn(call, 2));
  updateArena(call.exec, p.n, call.input<Segment>(1), p.segments, streams, optionalOut(call, 5),
              [&](const Segment& segment) {
                return RmspropRule<Centered, Momentum, Ema>{splat(factor),
                                                            splat(segment.weightDecay),
                                                            splat(p.lr * segment.lrScale),
                                                            splat(p.alpha),
                                                            splat(p.alphaRate),
                                                            splat(p.eps),
                                                            splat(p.momentum),
                                                            splat(p.emaRate)};
              });
}

template <bool Centered> void runVariant(const OpCall& call, const RmspropParams& p, const Streams& streams) {
  const bool ema = streams.at[kEma] != nullptr;
  if (streams.at[kMomentum] != nullptr)
    return ema ? run<Centered, true, true>(call, p, streams) : run<Centered, true, false>(call, p, streams);
  return ema ? run<Centered, false, true>(call, p, streams) : run<Centered, false, false>(call, p, streams);
}

}  // namespace

void rmsprop(const OpCall& call) {
  const auto& p = call.as<RmspropParams>();
  const Streams streams{{const_cast<float*>(call.input<float>(0)), call.output<float>(0), call.output<float>(1),
                         optionalOut(call, 2), optionalOut(call, 3), optionalOut(call, 4)}};
  if (streams.at[kMeanGrad] != nullptr) return runVariant<true>(call, p, streams);
  return runVariant<false>(call, p, streams);
}

}  // namespace anneal::ANNEAL_ISA
