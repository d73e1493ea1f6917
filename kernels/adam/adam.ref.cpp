// Reference of adam: the equations of the header, one element at a time, in double.
#include "adam.h"

#include <cmath>

#include "../common/segments.h"

namespace anneal {

void adam_reference(const OpCall& call);

void adam_reference(const OpCall& call) {
  const auto& p = call.as<AdamParams>();
  const float* grads = call.input<float>(0);
  const Segment* segments = call.input<Segment>(1);
  float* params = call.output<float>(0);
  float* m = call.output<float>(1);
  float* v = call.output<float>(2);
  float* vMax = optionalOut(call, 3);
  float* ema = optionalOut(call, 4);
  float* stats = optionalOut(call, 5);
  validateSegments(segments, p.segments, p.n);
  const double factor = gradientFactor(p.gradScale, p.clipNorm, optionalIn(call, 2));

  for (int64_t s = 0; s < p.segments; ++s) {
    const Segment segment = segments[s];
    const double rate = static_cast<double>(p.lr) * segment.lrScale;
    const double decay = segment.weightDecay;
    double updateSum = 0.0;
    double weightSum = 0.0;
    const bool frozen = (segment.flags & kSegmentFrozen) != 0;
    for (int64_t i = segment.begin; i < segment.end && !frozen; ++i) {
      const double weight = params[i];
      const double g = factor * grads[i] + (p.decoupled != 0 ? 0.0 : decay * weight);
      const double mean = static_cast<double>(p.beta1) * m[i] + p.beta1Rate * g;
      const double square = static_cast<double>(p.beta2) * v[i] + p.beta2Rate * (g * g);
      m[i] = static_cast<float>(mean);
      v[i] = static_cast<float>(square);
      double second = square;
      if (vMax != nullptr) {
        second = vMax[i] > square ? vMax[i] : square;
        vMax[i] = static_cast<float>(second);
      }
      const double step = rate / p.correction1 * mean / (std::sqrt(second) / p.correction2 + p.eps);
      const double update = (p.decoupled != 0 ? rate * decay * weight : 0.0) + step;
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
