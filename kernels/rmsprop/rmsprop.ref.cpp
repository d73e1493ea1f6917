// Reference of rmsprop: the equations of the header, one element at a time, in double.
#include "rmsprop.h"

#include <cmath>

#include "../common/segments.h"

namespace anneal {

void rmsprop_reference(const OpCall& call);

void rmsprop_reference(const OpCall& call) {
  const auto& p = call.as<RmspropParams>();
  const float* grads = call.input<float>(0);
  const Segment* segments = call.input<Segment>(1);
  float* params = call.output<float>(0);
  float* v = call.output<float>(1);
  float* meanGrad = optionalOut(call, 2);
  float* momentum = optionalOut(call, 3);
  float* ema = optionalOut(call, 4);
  float* stats = optionalOut(call, 5);
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
      double second = static_cast<double>(p.alpha) * v[i] + p.alphaRate * (g * g);
      v[i] = static_cast<float>(second);
      if (meanGrad != nullptr) {
        const double mean = static_cast<double>(p.alpha) * meanGrad[i] + p.alphaRate * g;
        meanGrad[i] = static_cast<float>(mean);
        second -= mean * mean;
        if (second < 0.0) second = 0.0;
      }
      double d = g / (std::sqrt(second) + p.eps);
      if (momentum != nullptr) {
        d += static_cast<double>(p.momentum) * momentum[i];
        momentum[i] = static_cast<float>(d);
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
