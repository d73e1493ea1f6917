// Reference of sgd_momentum_ema: the equations of the header, one element at a time, in double.
#include "sgd_momentum_ema.h"

#include "../common/segments.h"

namespace anneal {

void sgd_momentum_ema_reference(const OpCall& call);

void sgd_momentum_ema_reference(const OpCall& call) {
  const auto& p = call.as<SgdMomentumEmaParams>();
  const float* grads = call.input<float>(0);
  const Segment* segments = call.input<Segment>(1);
  float* params = call.output<float>(0);
  float* momentum = optionalOut(call, 1);
  float* ema = optionalOut(call, 2);
  float* stats = optionalOut(call, 3);
  validateSegments(segments, p.segments, p.n);
  const double factor = gradientFactor(p.gradScale, p.clipNorm, optionalIn(call, 2));

  for (int64_t s = 0; s < p.segments; ++s) {
    const Segment segment = segments[s];
    double updateSum = 0.0;
    double weightSum = 0.0;
    const bool frozen = (segment.flags & kSegmentFrozen) != 0;
    for (int64_t i = segment.begin; i < segment.end && !frozen; ++i) {
      const double weight = params[i];
      const double g = factor * grads[i] + static_cast<double>(segment.weightDecay) * weight;
      double d = g;
      if (momentum != nullptr) {
        const double v =
            p.first != 0 ? g : static_cast<double>(p.momentum) * momentum[i] + (1.0 - p.dampening) * g;
        momentum[i] = static_cast<float>(v);
        d = p.nesterov != 0 ? g + p.momentum * v : v;
      }
      const double update = static_cast<double>(p.lr) * segment.lrScale * d;
      params[i] = static_cast<float>(weight - update);
      if (ema != nullptr)
        ema[i] = static_cast<float>(ema[i] + p.emaRate * (static_cast<double>(params[i]) - ema[i]));
      updateSum += update * update;
      weightSum += weight * weight;
    }
    if (stats != nullptr) {
      stats[2 * s] = static_cast<float>(updateSum);
      stats[2 * s + 1] = static_cast<float>(weightSum);
    }
  }
}

}  // namespace anneal
