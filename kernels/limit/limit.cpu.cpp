// CPU body of limit: the loops as plainly as the machine runs them, over vectors.
#include "limit.h"

#include "../common/arena_update.h"
#include "../common/stream.h"

namespace anneal::ANNEAL_ISA {
namespace {

void fma(const OpCall& call, const LimitParams& p) {
  constexpr int kVectors = 12;  // registers for chains on every instruction set
  const float* const start = call.input<float>(0);
  float* const out = call.output<float>(0);
  parallel(call.exec, p.n, [&](int64_t task, int) {
    for (int first = 0; first < kFmaChains; first += kVectors * kLanes) {
      vf x[kVectors];
      ANNEAL_UNROLL for (int v = 0; v < kVectors; ++v) x[v] = load(start + first + v * kLanes);
      const vf half = splat(0.5f), one = splat(1.0f);
      for (uint32_t r = 0; r < p.repeats; ++r) ANNEAL_UNROLL for (int v = 0; v < kVectors; ++v) x[v] = x[v] * half + one;
      ANNEAL_UNROLL for (int v = 0; v < kVectors; ++v) store(out + task * kFmaChains + first + v * kLanes, x[v]);
    }
  });
}
static_assert(kFmaChains % (12 * kLanes) == 0, "a pass over the chains takes 12 vectors");

// each(i, count): `count` elements from i on, kLanes of them but for the last.
template <class Each> void overBlocks(Exec& exec, int64_t n, const Each& each) {
  parallelRange(exec, n, kArenaBlock, [&](int64_t begin, int64_t end, int) {
    const Each body = each;
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) body(i, kLanes);
    if (i < end) body(i, static_cast<int>(end - i));
  });
}

inline vf get(const float* p, int64_t count) { return count == kLanes ? load(p) : loadPartial(p, static_cast<int>(count)); }
inline void put(float* p, vf x, int64_t count) {
  count == kLanes ? store(p, x) : storePartial(p, x, static_cast<int>(count));
}

void triad(const OpCall& call, const LimitParams& p) {
  const float *const b = call.input<float>(0), *const c = call.input<float>(1);
  float* const a = call.output<float>(0);
  withStores(wantsStreams(call) && onBoundary(a), [&](auto stores) {
    parallelRange(call.exec, p.n, kArenaBlock, [=](int64_t begin, int64_t end, int) {
      int64_t i = begin;
      for (; i + kLanes <= end; i += kLanes) stores.put(a + i, load(b + i) + 3.0f * load(c + i));
      if (i < end) put(a + i, get(b + i, end - i) + 3.0f * get(c + i, end - i), end - i);
      fenceStreams();
    });
  });
}

void read(const OpCall& call, const LimitParams& p) {
  const float* const x = call.input<float>(0);
  float* const sums = call.output<float>(0);
  parallelRange(call.exec, p.n, p.block, [&](int64_t begin, int64_t end, int) {
    constexpr int kSums = 8;
    vf s[kSums] = {};
    for (uint32_t r = 0; r < p.repeats; ++r) {
      int64_t i = begin;
      for (; i + kSums * kLanes <= end; i += kSums * kLanes)
        ANNEAL_UNROLL for (int v = 0; v < kSums; ++v) s[v] += load(x + i + v * kLanes);
      for (; i < end; i += kLanes) s[0] += loadPartial(x + i, end - i < kLanes ? static_cast<int>(end - i) : kLanes);
      asm volatile("" ::: "memory");  // each repeat reads again
    }
    for (int v = 1; v < kSums; ++v) s[0] += s[v];
    sums[begin / p.block] = sum(s[0]);
  });
}

void sgd(const OpCall& call, const LimitParams& p) {
  const float* const g = call.input<float>(0);
  float *const w = call.output<float>(0), *const v = call.output<float>(1), *const e = call.output<float>(2);
  overBlocks(call.exec, p.n, [=](int64_t i, int count) {
    const vf weight = get(w + i, count);
    const vf step = 0.9f * get(v + i, count) + (get(g + i, count) + 1e-4f * weight);
    const vf next = weight - 1e-3f * step;
    const vf old = get(e + i, count);
    put(v + i, step, count);
    put(w + i, next, count);
    put(e + i, old + 1e-3f * (next - old), count);
  });
}

void adamw(const OpCall& call, const LimitParams& p) {
  const float* const g = call.input<float>(0);
  float *const w = call.output<float>(0), *const m = call.output<float>(1), *const v = call.output<float>(2),
               *const e = call.output<float>(3);
  overBlocks(call.exec, p.n, [=](int64_t i, int count) {
    const vf gradient = get(g + i, count);
    const vf mean = 0.9f * get(m + i, count) + 0.1f * gradient;
    const vf square = 0.999f * get(v + i, count) + 0.001f * gradient * gradient;
    const vf next = (1 - 1e-5f) * get(w + i, count) - 1e-3f * mean / (squareRoot(square) + 1e-8f);
    const vf old = get(e + i, count);
    put(m + i, mean, count);
    put(v + i, square, count);
    put(w + i, next, count);
    put(e + i, old + 1e-3f * (next - old), count);
  });
}

}  // namespace

void limit(const OpCall& call) {
  const auto& p = call.as<LimitParams>();
  switch (static_cast<LimitKind>(p.kind)) {
    case LimitKind::fma: return fma(call, p);
    case LimitKind::triad: return triad(call, p);
    case LimitKind::read: return read(call, p);
    case LimitKind::sgd: return sgd(call, p);
    case LimitKind::adamw: return adamw(call, p);
  }
}

}  // namespace anneal::ANNEAL_ISA
