// One pass over the flat arena (kernels/common/segments.h) that applies an update rule to every element of every
// segment and, if asked, sums the norms behind the update-to-weight ratio.
//
// The arena is cut into blocks of kArenaBlock elements, by its size only. A task takes a block and walks the segments
// that reach into it. Along the arena the pair (block, segment) moves like a staircase: each step raises the block, the
// segment or both. So block + segment is different for each pair, and names its slot among the partial norms; they are
// then summed block by block in double. The result does not depend on threads.
#pragma once

#include "parallel.h"
#include "segments.h"
#include "simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace anneal::ANNEAL_ISA {

// 64 KiB a stream: some 15 us of memory traffic a task, so that handing it out costs nothing.
inline constexpr int64_t kArenaBlock = 16384;
// Squares are summed in f32 lanes over this many elements, then in double.
inline constexpr int64_t kNormBlock = 1024;
inline constexpr int kMaxStreams = 6;

struct Norms {
  double update;  // sum |p_before - p_after|^2
  double weight;  // sum |p_before|^2
};

// The parallel buffers of the arena; absent ones are null. 0: gradients (only read), 1: parameters, then state.
struct Streams {
  float* at[kMaxStreams];
};

// What a rule reports for a vector of elements: the step it subtracted from the weight, and the weight before it.
struct Change {
  vf update;
  vf weight;
};

static inline vf squareRoot(vf x) {
#if defined(__AVX512F__)
  // GCC 12 calls the pass-through operand of _mm512_sqrt_ps uninitialised
  return static_cast<vf>(_mm512_maskz_sqrt_ps(0xffff, static_cast<__m512>(x)));
#elif defined(__AVX__)
  return static_cast<vf>(_mm256_sqrt_ps(static_cast<__m256>(x)));
#elif defined(__x86_64__)
  return static_cast<vf>(_mm_sqrt_ps(static_cast<__m128>(x)));
#elif defined(__aarch64__)
  return static_cast<vf>(vsqrtq_f32(static_cast<float32x4_t>(x)));
#else
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

// ema += rate * (p - ema)
static inline void updateEma(float* ema, vf p, vf rate) {
  const vf old = load(ema);
  store(ema, old + rate * (p - old));
}

// The last count < kLanes elements go through the same arithmetic on padded copies.
template <class Rule> static inline Change updateTail(const Rule& rule, const Streams& s, int64_t i, int count) {
  alignas(64) float lanes[kMaxStreams][kLanes];
  Streams local;
  for (int k = 0; k < kMaxStreams; ++k) {
    local.at[k] = s.at[k] == nullptr ? nullptr : lanes[k];
    if (s.at[k] != nullptr) store(lanes[k], loadPartial(s.at[k] + i, count));
  }
  const Change change = rule(local, 0);
  for (int k = 1; k < kMaxStreams; ++k)
    if (s.at[k] != nullptr) storePartial(s.at[k] + i, load(lanes[k]), count);
  alignas(64) float update[kLanes];
  store(update, change.update);  // the padding may have become anything, such as 0 / 0
  return {loadPartial(update, count), change.weight};
}

template <bool Stats, class Rule>
static inline void updateSlice(const Rule& shared, const Streams& streams, int64_t begin, int64_t end, Norms& norms) {
  const Rule rule = shared;  // copies, so that stores to the streams cannot alias them
  const Streams s = streams;
  int64_t i = begin;
  while (end - i >= kLanes) {
    const int64_t vectorEnd = i + (end - i) / kLanes * kLanes;
    const int64_t stop = Stats && vectorEnd - i > kNormBlock ? i + kNormBlock : vectorEnd;
    vf update{};
    vf weight{};
    for (; i < stop; i += kLanes) {
      const Change change = rule(s, i);
      if (Stats) {
        update += change.update * change.update;
        weight += change.weight * change.weight;
      }
    }
    if (Stats) {
      norms.update += static_cast<double>(sum(update));
      norms.weight += static_cast<double>(sum(weight));
    }
  }
  if (i < end) {
    const Change change = updateTail(rule, s, i, static_cast<int>(end - i));
    if (Stats) {
      norms.update += static_cast<double>(sum(change.update * change.update));
      norms.weight += static_cast<double>(sum(change.weight * change.weight));
    }
  }
}

// The first segment that ends behind `position`; `count` if none does.
static inline int64_t firstSegmentBehind(const Segment* segments, int64_t count, int64_t position) {
  int64_t low = 0;
  int64_t high = count;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (segments[middle].end > position)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

// stats (f32 [count, 2], or null): per segment sum |update|^2 and sum |weight before|^2; 0 where frozen.
// makeRule(segment) gives the rule of one segment.
template <class MakeRule>
static inline void updateArena(Exec& exec, int64_t n, const Segment* segments, int64_t count, const Streams& streams,
                               float* stats, const MakeRule& makeRule) {
  validateSegments(segments, count, n);
  const int64_t blocks = (n + kArenaBlock - 1) / kArenaBlock;
  Norms* partial = nullptr;
  if (stats != nullptr)
    partial = static_cast<Norms*>(
        exec.scratch(Exec::kShared, 0, static_cast<size_t>(blocks + count) * sizeof(Norms)));

  parallel(exec, blocks, [&](int64_t block, int) {
    const int64_t blockBegin = block * kArenaBlock;
    const int64_t blockEnd = blockBegin + kArenaBlock < n ? blockBegin + kArenaBlock : n;
    for (int64_t s = firstSegmentBehind(segments, count, blockBegin); s < count && segments[s].begin < blockEnd; ++s) {
      const Segment segment = segments[s];
      const int64_t begin = segment.begin > blockBegin ? segment.begin : blockBegin;
      const int64_t end = segment.end < blockEnd ? segment.end : blockEnd;
      if (begin >= end || (segment.flags & kSegmentFrozen) != 0) continue;
      Norms norms{0.0, 0.0};
      if (stats != nullptr) {
        updateSlice<true>(makeRule(segment), streams, begin, end, norms);
        partial[block + s] = norms;
      } else {
        updateSlice<false>(makeRule(segment), streams, begin, end, norms);
      }
    }
  });

  if (stats == nullptr) return;
  for (int64_t s = 0; s < count; ++s) {
    Norms total{0.0, 0.0};
    const Segment segment = segments[s];
    if (segment.begin < segment.end && (segment.flags & kSegmentFrozen) == 0) {
      for (int64_t b = segment.begin / kArenaBlock; b <= (segment.end - 1) / kArenaBlock; ++b) {
        total.update += partial[b + s].update;
        total.weight += partial[b + s].weight;
      }
    }
    stats[2 * s] = static_cast<float>(total.update);
    stats[2 * s + 1] = static_cast<float>(total.weight);
  }
}

}  // namespace anneal::ANNEAL_ISA
