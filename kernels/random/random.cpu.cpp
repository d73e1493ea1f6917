// Random draws and dropout on the CPU: the generator runs on kBlocks counters at once, in vectors.
#include "../common/parallel.h"
#include "../common/philox.h"
#include "../common/simd.h"
#include "random.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int kBlocks = 16;
constexpr int64_t kGroup = 4 * kBlocks;            // elements of one call of the generator
constexpr int64_t kTaskElements = 256 * kGroup;
constexpr int64_t kNormalTaskElements = 1 << 11;  // the C library makes these dear

// words[i] = word(first + i) for i in [0, kGroup); first is a multiple of 4.
template <class P> static inline void drawGroup(const P& p, int64_t first, uint32_t (&words)[kGroup]) {
  uint32_t blocks[4][kBlocks];
  for (int b = 0; b < kBlocks; ++b) {
    blocks[0][b] = static_cast<uint32_t>(first / 4) + static_cast<uint32_t>(b);
    blocks[1][b] = 0;
    blocks[2][b] = p.counter;
    blocks[3][b] = p.stream;
  }
  philox::encrypt({p.seedLo, p.seedHi}, blocks);
  for (int b = 0; b < kBlocks; ++b)
    for (int j = 0; j < 4; ++j) words[4 * b + j] = blocks[j][b];
}

// y[i] = f(word(i), i) for i in [0, n).
template <class P, class F> static inline void eachWord(const OpCall& call, const P& p, float* y, const F& f) {
  parallelRange(call.exec, p.n, kTaskElements, [&](int64_t begin, int64_t end, int) {
    uint32_t words[kGroup];
    int64_t i = begin;
    for (; i + kGroup <= end; i += kGroup) {
      drawGroup(p, i, words);
      for (int64_t k = 0; k < kGroup; ++k) y[i + k] = f(words[k], i + k);
    }
    if (i < end) {
      drawGroup(p, i, words);
      for (int64_t k = 0; i + k < end; ++k) y[i + k] = f(words[k], i + k);
    }
  });
}

}  // namespace

void random(const OpCall& call) {
  const auto& p = call.as<RandomParams>();
  float* y = call.output<float>(0);
  switch (static_cast<RandomKind>(p.kind)) {
    case RandomKind::uniform: {
      const float low = p.low, high = p.high, range = high - low;
      const float below = low < high ? __builtin_nextafterf(high, low) : high;
      // Exact products in double: with or without fused multiply-add the same bits.
      eachWord(call, p, y, [=](uint32_t word, int64_t) {
        const float v = static_cast<float>(low + static_cast<double>(range) * philox::toUnit(word));
        return v >= high ? below : v;
      });
      break;
    }
    case RandomKind::normal:
    case RandomKind::truncatedNormal:
      parallelRange(call.exec, p.n, kNormalTaskElements,
                    [&](int64_t begin, int64_t end, int) { normalDraws(p, begin, end - begin, y + begin); });
      break;
    case RandomKind::bernoulli: {
      const uint32_t threshold = philox::threshold(p.p);
      eachWord(call, p, y, [=](uint32_t word, int64_t) { return (word >> 8) < threshold ? 1.0f : 0.0f; });
      break;
    }
  }
}

void dropout(const OpCall& call) {
  const auto& p = call.as<DropoutParams>();
  const float* x = call.input<float>(0);
  const uint32_t threshold = philox::threshold(p.p);
  const auto scale = static_cast<float>(1 / (1 - static_cast<double>(p.p)));
  eachWord(call, p, call.output<float>(0),
           [=](uint32_t word, int64_t i) { return (word >> 8) < threshold ? 0.0f : x[i] * scale; });
}

}  // namespace anneal::ANNEAL_ISA
