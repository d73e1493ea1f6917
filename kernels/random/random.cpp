// Contracts of the random ops, and the normal draws that all bodies share.
#include "random.h"

#include <cmath>
#include <cstddef>

#include "../../native/core/check.h"
#include "../common/philox.h"

namespace anneal {

void random_reference(const OpCall& call);
void dropout_reference(const OpCall& call);

namespace {

constexpr uint32_t kMaxAttempts = 64;  // the chance of needing more is 0.0455^64

const Field kFields[] = {
    ANNEAL_FIELD(RandomParams, kind, u32, 1),   ANNEAL_FIELD(RandomParams, n, u32, 1),
    ANNEAL_FIELD(RandomParams, seedLo, u32, 1), ANNEAL_FIELD(RandomParams, seedHi, u32, 1),
    ANNEAL_FIELD(RandomParams, stream, u32, 1), ANNEAL_FIELD(RandomParams, counter, u32, 1),
    ANNEAL_FIELD(RandomParams, low, f32, 1),    ANNEAL_FIELD(RandomParams, high, f32, 1),
    ANNEAL_FIELD(RandomParams, mean, f32, 1),   ANNEAL_FIELD(RandomParams, std, f32, 1),
    ANNEAL_FIELD(RandomParams, p, f32, 1),
};
const Field kDropoutFields[] = {
    ANNEAL_FIELD(DropoutParams, n, u32, 1),      ANNEAL_FIELD(DropoutParams, seedLo, u32, 1),
    ANNEAL_FIELD(DropoutParams, seedHi, u32, 1), ANNEAL_FIELD(DropoutParams, stream, u32, 1),
    ANNEAL_FIELD(DropoutParams, counter, u32, 1), ANNEAL_FIELD(DropoutParams, p, f32, 1),
};

void probability(float p) {
  check::condition(p >= 0 && p <= 1, Code::range, "expected p in [0, 1], received %g", static_cast<double>(p));
}

void checkRandom(const OpCall& call) {
  const auto& p = call.as<RandomParams>();
  check::range("kind", p.kind, 0, 3);
  switch (static_cast<RandomKind>(p.kind)) {
    case RandomKind::uniform:
      check::condition(p.low <= p.high && std::isfinite(p.high - p.low), Code::range,
                       "expected finite low <= high, received %g and %g", static_cast<double>(p.low),
                       static_cast<double>(p.high));
      break;
    case RandomKind::normal:
    case RandomKind::truncatedNormal:
      check::condition(std::isfinite(p.mean) && std::isfinite(p.std) && p.std >= 0, Code::range,
                       "expected a finite mean and std >= 0, received %g and %g", static_cast<double>(p.mean),
                       static_cast<double>(p.std));
      break;
    case RandomKind::bernoulli: probability(p.p); break;
  }
  check::output(call, 0, "y", p.n);
}

void checkDropout(const OpCall& call) {
  const auto& p = call.as<DropoutParams>();
  probability(p.p);
  check::input(call, 0, "x", p.n);
  check::output(call, 0, "y", p.n);
  if (call.out[0].data != call.in[0].data) check::distinct(call, 0, 0);
}

// The four normals of one block.
void boxMuller(const RandomParams& p, uint32_t block, uint32_t attempt, double (&z)[4]) {
  uint32_t words[4][1] = {{block}, {attempt}, {p.counter}, {p.stream}};
  philox::encrypt({p.seedLo, p.seedHi}, words);
  for (int pair = 0; pair < 4; pair += 2) {
    const double r = std::sqrt(-2 * std::log((words[pair][0] + 1.0) * 0x1p-32));
    const double t = 6.283185307179586 * (words[pair + 1][0] * 0x1p-32);
    z[pair] = r * std::cos(t);
    z[pair + 1] = r * std::sin(t);
  }
}

}  // namespace

void normalDraws(const RandomParams& p, int64_t first, int64_t count, float* y) {
  const bool truncated = static_cast<RandomKind>(p.kind) == RandomKind::truncatedNormal;
  for (int64_t i = 0; i < count; i += 4) {
    const auto block = static_cast<uint32_t>((first + i) / 4);
    double z[4];
    boxMuller(p, block, 0, z);
    for (int64_t j = 0; j < 4 && i + j < count; ++j) {
      double value = z[j];
      for (uint32_t attempt = 1; truncated && std::fabs(value) > 2; ++attempt) {
        double again[4];
        boxMuller(p, block, attempt, again);
        value = attempt < kMaxAttempts ? again[j] : 0;
      }
      // The product of two floats is exact in double, so contraction cannot change the result.
      y[i + j] = static_cast<float>(p.mean + static_cast<double>(p.std) * static_cast<float>(value));
    }
  }
}

OpDef random_op() {
  return {"random", sizeof(RandomParams), kFields, sizeof kFields / sizeof kFields[0], 0, 0, 1, 1, checkRandom,
          random_reference};
}

OpDef dropout_op() {
  return {"dropout", sizeof(DropoutParams), kDropoutFields, sizeof kDropoutFields / sizeof kDropoutFields[0], 1, 1, 1,
          1, checkDropout, dropout_reference};
}

}  // namespace anneal
