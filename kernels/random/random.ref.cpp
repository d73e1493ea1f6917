// The oracle of the random ops: one block of the generator for each element.
#include <cmath>

#include "../../native/core/op.h"
#include "../common/philox.h"
#include "random.h"

namespace anneal {
namespace {

// u(i), with seed, stream and counter of the parameters.
template <class P> float unit(const P& p, int64_t i) {
  uint32_t words[4][1] = {{static_cast<uint32_t>(i / 4)}, {0}, {p.counter}, {p.stream}};
  philox::encrypt({p.seedLo, p.seedHi}, words);
  return philox::toUnit(words[i % 4][0]);
}

}  // namespace

void random_reference(const OpCall& call) {
  const auto& p = call.as<RandomParams>();
  float* y = call.output<float>(0);
  switch (static_cast<RandomKind>(p.kind)) {
    case RandomKind::uniform:
      for (int64_t i = 0; i < p.n; ++i) {
        const float range = p.high - p.low;
        y[i] = static_cast<float>(p.low + static_cast<double>(range) * unit(p, i));
        if (y[i] >= p.high && p.low < p.high) y[i] = std::nextafter(p.high, p.low);
      }
      break;
    case RandomKind::normal:
    case RandomKind::truncatedNormal: normalDraws(p, 0, p.n, y); break;
    case RandomKind::bernoulli:
      for (int64_t i = 0; i < p.n; ++i) y[i] = unit(p, i) < p.p ? 1.0f : 0.0f;
      break;
  }
}

void dropout_reference(const OpCall& call) {
  const auto& p = call.as<DropoutParams>();
  const float* x = call.input<float>(0);
  float* y = call.output<float>(0);
  const auto scale = static_cast<float>(1 / (1 - static_cast<double>(p.p)));
  for (int64_t i = 0; i < p.n; ++i) y[i] = unit(p, i) < p.p ? 0.0f : x[i] * scale;
}

}  // namespace anneal
