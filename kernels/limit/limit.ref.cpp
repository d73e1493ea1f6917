// Reference of limit: plain loops in double.
#include <cmath>

#include "limit.h"
#include "../../native/core/op.h"

namespace anneal {

void limit_reference(const OpCall& call);

void limit_reference(const OpCall& call) {
  const auto& p = call.as<LimitParams>();
  const float* const in = call.input<float>(0);
  float* const out = call.output<float>(0);
  switch (static_cast<LimitKind>(p.kind)) {
    case LimitKind::fma:
      for (int64_t i = 0; i < int64_t{p.n} * kFmaChains; ++i) {
        double x = static_cast<double>(in[i % kFmaChains]);
        for (uint32_t r = 0; r < p.repeats; ++r) x = x * 0.5 + 1;
        out[i] = static_cast<float>(x);
      }
      return;
    case LimitKind::triad:
      for (uint32_t i = 0; i < p.n; ++i)
        out[i] = static_cast<float>(static_cast<double>(in[i]) + 3 * static_cast<double>(call.input<float>(1)[i]));
      return;
    case LimitKind::read:
      for (int64_t begin = 0; begin < p.n; begin += p.block) {
        double sum = 0;
        for (int64_t i = begin; i < begin + p.block && i < p.n; ++i) sum += static_cast<double>(in[i]);
        out[begin / p.block] = static_cast<float>(sum * p.repeats);
      }
      return;
    case LimitKind::sgd:
      for (uint32_t i = 0; i < p.n; ++i) {
        float& v = call.output<float>(1)[i];
        float& e = call.output<float>(2)[i];
        const double step = 0.9 * static_cast<double>(v) + static_cast<double>(in[i]) + 1e-4 * static_cast<double>(out[i]);
        const double next = static_cast<double>(out[i]) - 1e-3 * step;
        v = static_cast<float>(step);
        out[i] = static_cast<float>(next);
        e = static_cast<float>(static_cast<double>(e) + 1e-3 * (next - static_cast<double>(e)));
      }
      return;
    case LimitKind::adamw:
      for (uint32_t i = 0; i < p.n; ++i) {
        float& m = call.output<float>(1)[i];
        float& v = call.output<float>(2)[i];
        float& e = call.output<float>(3)[i];
        const double g = static_cast<double>(in[i]);
        const double mean = 0.9 * static_cast<double>(m) + 0.1 * g;
        const double square = 0.999 * static_cast<double>(v) + 0.001 * g * g;
        const double next = static_cast<double>(out[i]) * (1 - 1e-5) - 1e-3 * mean / (std::sqrt(square) + 1e-8);
        m = static_cast<float>(mean);
        v = static_cast<float>(square);
        out[i] = static_cast<float>(next);
        e = static_cast<float>(static_cast<double>(e) + 1e-3 * (next - static_cast<double>(e)));
      }
      return;
  }
}

}  // namespace anneal
