// Kernels that take a matrix row by row: a team of 8 lanes, a warp or a block a row, each thread four items at a time, of which it keeps
// the first kKept fours in registers from one pass over the row to the next. What a row has beyond those is read again, from a cache.
#pragma once

#include "cuda.cuh"

namespace anneal::cuda {

struct Four {
  float item[4];
};

ANNEAL_GPU float sumOf(const Four& v) { return (v.item[0] + v.item[1]) + (v.item[2] + v.item[3]); }

template <class F> ANNEAL_GPU Four eachOf(F f) {
  Four out;
#pragma unroll
  for (int i = 0; i < 4; ++i) out.item[i] = f(i);
  return out;
}

// What a thread adds, four sums side by side, 32 times at most before they go to a total, so that the error does not grow with the row.
struct LongSum {
  float part[4] = {0, 0, 0, 0};
  float total = 0;
  int count = 0;

  ANNEAL_GPU void add(const Four& v) {
#pragma unroll
    for (int i = 0; i < 4; ++i) part[i] += v.item[i];
    if (++count == 32) {
      total = end();
#pragma unroll
      for (int i = 0; i < 4; ++i) part[i] = 0;
      count = 0;
    }
  }
  ANNEAL_GPU float end() const { return total + ((part[0] + part[1]) + (part[2] + part[3])); }
};

// The fours of one thread. Vectors: rows start on boundaries of 16 bytes and have whole fours, which are neighbours; else the four are
// apart by the team's threads, so that these read side by side.
template <int Threads, int Kept, bool Vectors> struct RowWalk {
  int64_t start;  // of the row
  int64_t cols;   // 0 where there is no row: its lanes still fold with the others

  static constexpr int64_t kApart = Vectors ? 1 : Threads;

  // Calls f(k, c) for each four of this thread; c is the column of its first item. The first Kept are unrolled.
  template <class F> ANNEAL_GPU void each(F f) const {
    constexpr int64_t kStep = 4 * Threads;
    const int64_t first = Vectors ? 4 * teamLane<Threads>() : teamLane<Threads>();
#pragma unroll
    for (int k = 0; k < Kept; ++k)
      if (first + k * kStep < cols) f(k, first + k * kStep);
    if constexpr (Threads > 32)
      for (int64_t c = first + Kept * kStep; c < cols; c += kStep) f(Kept, c);
  }

  // The same fours in the same order by a loop, f(c): where what is done with them is long, and nothing of the row is kept.
  template <class F> ANNEAL_GPU void loop(F f) const {
#pragma unroll 1
    for (int64_t c = Vectors ? 4 * teamLane<Threads>() : teamLane<Threads>(); c < cols; c += 4 * Threads) f(c);
  }

  ANNEAL_GPU bool has(int64_t c, int i) const { return Vectors || c + i * kApart < cols; }
  ANNEAL_GPU static int64_t column(int64_t c, int i) { return c + i * kApart; }

  // From `from` on, of the row or of a vector that all rows share; `fill` past the end.
  ANNEAL_GPU Four load(const Span<const float>& x, int64_t from, int64_t c, float fill) const {
    if constexpr (Vectors) {
      const float4 v = x.as<float4>(from + c);
      return {{v.x, v.y, v.z, v.w}};
    } else {
      return eachOf([&](int i) { return has(c, i) ? x[from + column(c, i)] : fill; });
    }
  }
  ANNEAL_GPU void store(const Span<float>& y, int64_t from, int64_t c, const Four& v) const {
    if constexpr (Vectors) y.as<float4>(from + c) = make_float4(v.item[0], v.item[1], v.item[2], v.item[3]);
    else
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (has(c, i)) y[from + column(c, i)] = v.item[i];
  }
};

// The walk of this thread's team over its row of a matrix.
template <class Walk, int Threads> ANNEAL_GPU Walk walkOf(int64_t rows, int64_t cols) {
  const int64_t row = teamIndex<Threads>();
  return {row * cols, row < rows ? cols : 0};
}

}  // namespace anneal::cuda
