// How the random ops are launched on CUDA.
#include "random.cuda.h"

#include <cmath>

#include "../../native/backends/cuda/launch.h"
#include "../common/philox.h"

namespace anneal::cuda::ops {
namespace {

template <class P> Draws drawsOf(const P& p, bool aligned) {
  return {p.n, p.seedLo, p.seedHi, p.stream, p.counter, aligned ? 1u : 0u};
}

Dim gridOf(int64_t n) { return {ceilDiv(n, 4 * kRandomThreads)}; }

}  // namespace

void random(Call& call) {
  const auto& p = call.as<RandomParams>();
  const Span<float> y = call.output<float>(0);
  const Draws draws = drawsOf(p, alignedBy16(y));
  switch (static_cast<RandomKind>(p.kind)) {
    case RandomKind::uniform: {
      const float below = p.low < p.high ? std::nextafter(p.high, p.low) : p.high;
      const uint32_t isUnit = p.low == 0.0f && p.high == 1.0f ? 1 : 0;
      call.launch("random/draw_uniform", gridOf(p.n), {kRandomThreads}, UniformArgs{y, draws, p.low, p.high - p.low, p.high, below, isUnit});
      break;
    }
    case RandomKind::normal:
    case RandomKind::truncatedNormal: {
      const uint32_t truncated = static_cast<RandomKind>(p.kind) == RandomKind::truncatedNormal ? 1 : 0;
      call.launch("random/draw_normal", gridOf(p.n), {kRandomThreads}, NormalArgs{y, draws, p.mean, p.std, truncated});
      break;
    }
    case RandomKind::bernoulli:
      call.launch("random/draw_bernoulli", gridOf(p.n), {kRandomThreads}, BernoulliArgs{y, draws, philox::threshold(p.p)});
      break;
  }
}

void dropout(Call& call) {
  const auto& p = call.as<DropoutParams>();
  const Span<const float> x = call.input<float>(0);
  const Span<float> y = call.output<float>(0);
  const auto scale = static_cast<float>(1 / (1 - static_cast<double>(p.p)));
  const Draws draws = drawsOf(p, alignedBy16(x) && alignedBy16(y));
  call.launch("random/dropout", gridOf(p.n), {kRandomThreads}, DropoutArgs{x, y, draws, philox::threshold(p.p), scale});
}

}  // namespace anneal::cuda::ops
