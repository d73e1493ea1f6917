// random and dropout on CUDA (contract: random.h).
//
// A thread makes the four elements of a block of Philox4x32-10, some 80 instructions, and moves them by 16 bytes where operands lie on a
// boundary of that. Dropout moves 8 bytes for each 25 instructions: memory binds. Uniform draws with bounds other than [0, 1) and normals
// are what the CPU computes in double, rounded once, so they are computed in double here: of that a data-centre GPU has half its rate of
// f32 and a consumer's 1/64, where a normal costs some 50 operations. They fill weights once; nothing trains by them.
#include "../common/floats.cuh"
#include "../common/philox.h"
#include "random.cuda.h"

namespace anneal::cuda {
namespace {

constexpr uint32_t kMostAttempts = 64;  // as random.cpp

struct Words {
  uint32_t at[4];
};

ANNEAL_GPU Words wordsOf(const Draws& draws, int64_t block, uint32_t attempt) {
  uint32_t words[4][1] = {{static_cast<uint32_t>(block)}, {attempt}, {draws.counter}, {draws.stream}};
  philox::encrypt({draws.seedLo, draws.seedHi}, words);
  return {{words[0][0], words[1][0], words[2][0], words[3][0]}};
}

ANNEAL_GPU Floats<4> load(const Draws& draws, const Span<const float>& x, int64_t i) {
  if (draws.aligned != 0 && i + 4 <= draws.count) return x.as<Floats<4>>(i);
  Floats<4> items = zeros<4>();
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (i + k < draws.count) items.at[k] = x[i + k];
  return items;
}
ANNEAL_GPU void store(const Draws& draws, const Span<float>& y, int64_t i, const Floats<4>& items) {
  if (draws.aligned != 0 && i + 4 <= draws.count) {
    y.as<Floats<4>>(i) = items;
    return;
  }
#pragma unroll
  for (int k = 0; k < 4; ++k)
    if (i + k < draws.count) y[i + k] = items.at[k];
}

// y[i] = f(word(i)).
template <class F> ANNEAL_GPU void eachWord(const Draws& draws, const Span<float>& y, const F& f) {
  const int64_t block = flatThread();
  if (4 * block >= draws.count) return;
  const Words words = wordsOf(draws, block, 0);
  Floats<4> items;
#pragma unroll
  for (int k = 0; k < 4; ++k) items.at[k] = f(words.at[k]);
  store(draws, y, 4 * block, items);
}

// The four normals of a block, by Box-Muller.
ANNEAL_GPU void normalsOf(const Words& words, double (&z)[4]) {
#pragma unroll
  for (int pair = 0; pair < 4; pair += 2) {
    const double r = sqrt(-2.0 * log((words.at[pair] + 1.0) * 0x1p-32));
    double sine, cosine;
    sincospi(words.at[pair + 1] * 0x1p-31, &sine, &cosine);
    z[pair] = r * cosine;
    z[pair + 1] = r * sine;
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) draw_uniform(const UniformArgs args) {
  if (args.isUnit != 0) {
    eachWord(args.draws, args.y, [](uint32_t word) { return philox::toUnit(word); });
    return;
  }
  eachWord(args.draws, args.y, [&](uint32_t word) {
    const auto value = static_cast<float>(args.low + static_cast<double>(args.range) * philox::toUnit(word));
    return value >= args.high ? args.below : value;
  });
}

extern "C" __global__ void __launch_bounds__(256) draw_bernoulli(const BernoulliArgs args) {
  eachWord(args.draws, args.y, [&](uint32_t word) { return word >> 8 < args.threshold ? 1.0f : 0.0f; });
}

extern "C" __global__ void __launch_bounds__(256) draw_normal(const NormalArgs args) {
  const int64_t block = flatThread();
  if (4 * block >= args.draws.count) return;
  double z[4];
  normalsOf(wordsOf(args.draws, block, 0), z);
  const auto isFar = [&](double value) { return args.truncated != 0 && fabs(value) > 2.0; };
#pragma unroll 1
  for (uint32_t attempt = 1; isFar(z[0]) || isFar(z[1]) || isFar(z[2]) || isFar(z[3]); ++attempt) {
    double again[4];
    normalsOf(wordsOf(args.draws, block, attempt), again);
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if (isFar(z[k])) z[k] = attempt < kMostAttempts ? again[k] : 0.0;
  }
  Floats<4> items;
#pragma unroll
  for (int k = 0; k < 4; ++k)
    items.at[k] = static_cast<float>(args.mean + static_cast<double>(args.std) * static_cast<float>(z[k]));
  store(args.draws, args.y, 4 * block, items);
}

extern "C" __global__ void __launch_bounds__(256) dropout(const DropoutArgs args) {
  const int64_t block = flatThread();
  if (4 * block >= args.draws.count) return;
  Floats<4> items = load(args.draws, args.x, 4 * block);
  const Words words = wordsOf(args.draws, block, 0);
#pragma unroll
  for (int k = 0; k < 4; ++k) items.at[k] = words.at[k] >> 8 < args.threshold ? 0.0f : items.at[k] * args.scale;
  store(args.draws, args.y, 4 * block, items);
}

}  // namespace anneal::cuda
