// What the bodies over rows of logits share: maps and sums along a row, the tail padded by a neutral item.
#pragma once

#include "../common/math.h"

namespace anneal::ANNEAL_ISA {

inline constexpr int64_t kRowTaskItems = 4096;  // a task: some microseconds of exponentials
inline constexpr int64_t kSumBlock = 4096;      // items whose sum stays in f32 lanes

// f(item vector index, lanes in use): whole vectors, then one partial.
template <class F> static inline void overRow(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, kLanes);
  if (i < n) f(i, static_cast<int>(n - i));
}

static inline vf loadLanes(const float* p, int lanes, float fill) {
  return lanes == kLanes ? load(p) : loadPartial(p, lanes, fill);
}
static inline void storeLanes(float* p, vf v, int lanes) {
  if (lanes == kLanes)
    store(p, v);
  else
    storePartial(p, v, lanes);
}

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
  vf largest = splat(-__builtin_inff());
  overRow(n, [&](int64_t i, int lanes) { largest = max(largest, loadLanes(x + i, lanes, -__builtin_inff())); });
  float result = largest[0];
  for (int lane = 1; lane < kLanes; ++lane) result = largest[lane] > result ? largest[lane] : result;
  return result;
}

// The sum of e^(x - m) over a row. NaN where the row is all -inf or has a NaN or a +inf.
static inline double sumOfExponentials(const float* x, int64_t n, float m) {
  const vf shift = splat(m);
  return sumRow(n, [&](int64_t i, int lanes) { return exp(loadLanes(x + i, lanes, -__builtin_inff()) - shift); });
}

}  // namespace anneal::ANNEAL_ISA
