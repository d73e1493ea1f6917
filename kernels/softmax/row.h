// What the bodies over rows of logits share: maps and sums along a row, the tail padded by a neutral item.
#pragma once

#include "../common/math.h"
#include "../common/stream.h"

namespace anneal::ANNEAL_ISA {

inline constexpr int64_t kRowTaskItems = 4096;  // a task: some microseconds of exponentials
inline constexpr int64_t kSumBlock = 4096;      // items whose sum stays in f32 lanes

// f(item vector index, lanes in use): whole vectors, then one partial.
template <class F> static inline void overRow(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, kLanes);
  if (i < n) f(i, static_cast<int>(n - i));
}

static inline void storeLanes(float* p, vf v, int lanes) { putLanes(PlainStores{}, p, v, lanes); }

// The sum of term(i, lanes) over a row; lanes not in use must be 0.
template <class F> static inline double sumRow(int64_t n, const F& term) {
  double total = 0;
  for (int64_t start = 0; start < n; start += kSumBlock) {
    const int64_t end = start + kSumBlock < n ? start + kSumBlock : n;
    vf acc = splat(0.0f);
    overRow(end - start, [&](int64_t i, int lanes) { acc += term(start + i, lanes); });
    total += static_cast<double>(sum(acc));
  }
  return total;
}

static inline float rowMaximum(const float* x, int64_t n) {
  constexpr int kChains = 4;  // a maximum takes several cycles, and four can be under way
  const vf lowest = splat(-__builtin_inff());
  vf largest[kChains] = {lowest, lowest, lowest, lowest};
  int64_t start = 0;
  for (; start + kChains * kLanes <= n; start += kChains * kLanes)
    ANNEAL_UNROLL for (int k = 0; k < kChains; ++k) largest[k] = max(largest[k], load(x + start + k * kLanes));
  overRow(n - start, [&](int64_t i, int lanes) {
    largest[0] = max(largest[0], loadLanes(x + start + i, lanes, -__builtin_inff()));
  });
  const vf most = max(max(largest[0], largest[1]), max(largest[2], largest[3]));
  float result = most[0];
  for (int lane = 1; lane < kLanes; ++lane) result = most[lane] > result ? most[lane] : result;
  return result;
}

// The sum of e^(x - m) over a row. NaN where the row is all -inf or has a NaN or a +inf.
static inline double sumOfExponentials(const float* x, int64_t n, float m) {
  const vf shift = splat(m);
  return sumRow(n, [&](int64_t i, int lanes) { return exp(loadLanes(x + i, lanes, -__builtin_inff()) - shift); });
}

}  // namespace anneal::ANNEAL_ISA
