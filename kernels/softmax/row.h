// What the bodies over rows of logits share: maps and sums along a row, the tail padded by a neutral item.
#pragma once

#include "../common/math.h"
#include "../common/stream.h"

namespace anneal::ANNEAL_ISA {

inline constexpr int64_t kRowTaskItems = 32768;  // a task: some microseconds of exponentials
inline constexpr int64_t kSumBlock = 4096;       // items whose sum stays in f32 lanes
inline constexpr int64_t kAhead = 2048;          // items from the row that is read to what is fetched for it
inline constexpr int kChains = 4;                // vectors under way at once, as each step waits for the one before

// f(item vector index, lanes in use): whole vectors, then one partial.
template <class F> static inline void overRow(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, kLanes);
  if (i < n) f(i, static_cast<int>(n - i));
}

// The same, with the chain that the vector belongs to: f(index, lanes in use, chain).
template <class F> static inline void overChains(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + kChains * kLanes <= n; i += kChains * kLanes)
    ANNEAL_UNROLL for (int k = 0; k < kChains; ++k) f(i + k * kLanes, kLanes, k);
  for (; i + kLanes <= n; i += kLanes) f(i, kLanes, 0);
  if (i < n) f(i, static_cast<int>(n - i), 1);
}

static inline void storeLanes(float* p, vf v, int lanes) { putLanes(PlainStores{}, p, v, lanes); }

// The sum of term(i, lanes, chain) over a row; lanes not in use must be 0.
template <class F> static inline double sumRow(int64_t n, const F& term) {
  if (n <= kLanes) return n < 1 ? 0.0 : static_cast<double>(sum(term(int64_t{0}, static_cast<int>(n), 0)));
  double total = 0;
  for (int64_t start = 0; start < n; start += kSumBlock) {
    const int64_t end = start + kSumBlock < n ? start + kSumBlock : n;
    vf acc[kChains] = {};
    overChains(end - start, [&](int64_t i, int lanes, int k) { acc[k] += term(start + i, lanes, k); });
    total += static_cast<double>(sum((acc[0] + acc[1]) + (acc[2] + acc[3])));
  }
  return total;
}

// The largest items so far, by lane.
struct Maxima {
  vf v[kChains];
  Maxima() {
    for (vf& lanes : v) lanes = splat(-__builtin_inff());
  }
  void take(const float* p, int lanes, int chain) { v[chain] = max(loadLanes(p, lanes, -__builtin_inff()), v[chain]); }
  float largest() const { return maximum(max(max(v[0], v[1]), max(v[2], v[3]))); }
};

static inline float rowMaximum(const float* x, int64_t n) {
  Maxima maxima;
  overChains(n, [&](int64_t i, int lanes, int k) { maxima.take(x + i, lanes, k); });
  return maxima.largest();
}

// Rows one after the other: f(r, m, next) with the maximum m of row r, and next(i, lanes, chain) for f to call at each vector of
// its own row: it takes the same place of row r + 1 into that row's maximum. So a row comes in from memory while the
// exponentials of the one before keep the arithmetic busy, and its exponentials find it in cache.
template <class F> static inline void eachRowWithMaximum(const float* x, int64_t begin, int64_t end, int64_t n, const F& f) {
  if (begin == end) return;
  float m = rowMaximum(x + begin * n, n);
  for (int64_t r = begin; r + 1 < end; ++r) {
    const float* const following = x + (r + 1) * n;
    Maxima maxima;
    f(r, m, [&](int64_t i, int lanes, int k) {
      __builtin_prefetch(following + i + kAhead);
      maxima.take(following + i, lanes, k);
    });
    m = maxima.largest();
  }
  f(end - 1, m, [](int64_t, int, int) {});
}

}  // namespace anneal::ANNEAL_ISA
