// Random draws and dropout on the CPU: the generator runs on two vectors of counters at once.
#include "../common/parallel.h"
#include "../common/philox.h"
#include "../common/simd.h"
#include "random.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int kVectors = 2;  // hide the latency of the multiplications
constexpr int kBlocks = kVectors * kLanes;
constexpr int64_t kGroup = 4 * kBlocks;  // elements of one call of the generator
constexpr int64_t kTaskElements = 1 << 14;
constexpr int64_t kNormalTaskElements = 1 << 11;  // the C library makes these dear

#if defined(__x86_64__)
typedef uint32_t vu __attribute__((vector_size(kLanes * 4)));
typedef uint64_t vq __attribute__((vector_size(kLanes * 4)));

// The 64-bit products of the even 32-bit lanes. GCC 12 finds no such pattern by itself.
static inline vq multiplyEven(vq a, vq b) {
#if defined(__AVX512F__)
  // The unmasked intrinsic makes GCC 12 warn about a value it leaves undefined on purpose.
  return reinterpret_cast<vq>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<vq>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return reinterpret_cast<vq>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
}

// The low and high halves of the products of all lanes.
static inline vu multiply(vu x, uint32_t factor, vu& high) {
  const vq m = vq{} + factor, low = vq{} + 0xffffffffu;
  const vq even = multiplyEven(reinterpret_cast<vq>(x), m), odd = multiplyEven(reinterpret_cast<vq>(x) >> 32, m);
  high = reinterpret_cast<vu>((even >> 32) | (odd & ~low));
  return reinterpret_cast<vu>((even & low) | (odd << 32));
}

// philox::encrypt for kBlocks blocks.
static inline void encrypt(philox::Key key, uint32_t (&words)[4][kBlocks]) {
  vu w[4][kVectors];
  for (int j = 0; j < 4; ++j)
    for (int v = 0; v < kVectors; ++v) std::memcpy(&w[j][v], &words[j][v * kLanes], sizeof(vu));
  for (int round = 0; round < philox::kRounds; ++round) {
    for (int v = 0; v < kVectors; ++v) {
      vu high0, high1;
      const vu low0 = multiply(w[0][v], philox::kMultiplier0, high0);
      const vu low1 = multiply(w[2][v], philox::kMultiplier1, high1);
      w[0][v] = high1 ^ w[1][v] ^ (vu{} + key.k0);
      w[1][v] = low1;
      w[2][v] = high0 ^ w[3][v] ^ (vu{} + key.k1);
      w[3][v] = low0;
    }
    key.k0 += philox::kWeyl0;
    key.k1 += philox::kWeyl1;
  }
  for (int j = 0; j < 4; ++j)
    for (int v = 0; v < kVectors; ++v) std::memcpy(&words[j][v * kLanes], &w[j][v], sizeof(vu));
}
#else
using philox::encrypt;
#endif

// words[i] = word(first + i) for i in [0, kGroup); first is a multiple of 4.
template <class P> static inline void drawGroup(const P& p, int64_t first, uint32_t (&words)[kGroup]) {
  uint32_t blocks[4][kBlocks];
  for (int b = 0; b < kBlocks; ++b) {
    blocks[0][b] = static_cast<uint32_t>(first / 4) + static_cast<uint32_t>(b);
    blocks[1][b] = 0;
    blocks[2][b] = p.counter;
    blocks[3][b] = p.stream;
  }
  encrypt({p.seedLo, p.seedHi}, blocks);
  for (int b = 0; b < kBlocks; ++b)
    for (int j = 0; j < 4; ++j) words[4 * b + j] = blocks[j][b];
}

// y[i] = f(word(i), i) for i in [0, n). f may read element i of y itself: results wait in a local array, which also
// tells the compiler that iterations are independent.
template <class P, class F> static inline void eachWord(const OpCall& call, const P& p, float* y, const F& f) {
  parallelRange(call.exec, p.n, kTaskElements, [&](int64_t begin, int64_t end, int) {
    uint32_t words[kGroup];
    float results[kGroup];
    int64_t i = begin;
    for (; i + kGroup <= end; i += kGroup) {
      drawGroup(p, i, words);
      for (int64_t k = 0; k < kGroup; ++k) results[k] = f(words[k], i + k);
      std::memcpy(y + i, results, sizeof results);
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
      if (low == 0.0f && high == 1.0f) {
        eachWord(call, p, y, [](uint32_t word, int64_t) { return philox::toUnit(word); });
        break;
      }
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
  eachWord(call, p, call.output<float>(0), [=](uint32_t word, int64_t i) {
    const float kept = x[i] * scale;  // read in any case, so that this becomes a select
    return (word >> 8) < threshold ? 0.0f : kept;
  });
}

}  // namespace anneal::ANNEAL_ISA
