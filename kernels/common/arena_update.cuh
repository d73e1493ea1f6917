// One pass over the flat arena (segments.h) that applies an update rule to every element of every segment and, if asked, sums the
// norms behind the update-to-weight ratio.
//
// A warp takes a chunk of the arena and walks the segments that reach into it, from the first, which its lanes find together.
// Neighbouring lanes take neighbouring groups of four elements, one access of 16 bytes a stream; what a segment has before its
// first and behind its last whole group is taken by the element. No shared memory, no barrier.
//
// Norms: a warp leaves its sums of a chunk's slice in `partial`, f32 over 512 elements. Along the arena the pair (chunk, segment)
// moves like a staircase, so chunk + segment names the slot. A second launch, a block a segment, adds them in double (two
// additions for 512 elements) in an order that the shapes fix.
//
// The CPU validates the table when the kernel runs; here nobody would hear of it, so rows are cut to [0, n]: a bad table gives
// bad values, within the arena.
#pragma once

#include "arena_update.cuda.h"
#include "floats.cuh"

namespace anneal::cuda {

struct ArenaSegment {
  int64_t begin, end;
  float lrScale, weightDecay;
  bool frozen;
};

// Sums of squares of what is subtracted from weights, and of weights before it.
struct Norms {
  float update, weight;

  ANNEAL_GPU void add(float change, float before) {
    update += change * change;
    weight += before * before;
  }
};

ANNEAL_GPU ArenaSegment segmentAt(const Arena& arena, uint32_t s) {
  constexpr int64_t kWords = kSegmentBytes / 4;
  const Span<const int32_t> row = arena.segments.from(kWords * s);
  const int64_t n = arena.n, first = row[0], last = row[1];
  const int64_t begin = first < 0 ? 0 : first > n ? n : first;
  const int64_t end = last < begin ? begin : last > n ? n : last;
  return {begin, end, __int_as_float(row[2]), __int_as_float(row[3]), (static_cast<uint32_t>(row[4]) & kSegmentFrozen) != 0};
}

// The first segment that ends behind `position`; their number if none does. All lanes of a warp ask together: each probes the last row of
// one of 32 parts.
ANNEAL_GPU uint32_t firstSegmentBehind(const Arena& arena, int64_t position) {
  const uint32_t lane = threadIdx.x % 32;
  uint32_t low = 0, high = arena.count;
  while (low < high) {
    const uint32_t part = (high - low + 31) / 32;
    const uint64_t probe = low + (lane + 1ull) * part - 1;
    const bool behind = probe >= high || arena.segments[kSegmentBytes / 4 * static_cast<int64_t>(probe) + 1] > position;
    const auto before = static_cast<uint32_t>(__popc(~__ballot_sync(kAllLanes, behind)));
    const uint64_t next = low + static_cast<uint64_t>(before) * part;
    if (next >= high) return high;
    low = static_cast<uint32_t>(next);
    if (part == 1) break;
    high = next + part - 1 < high ? static_cast<uint32_t>(next + part - 1) : high;
  }
  return low;
}

// The factor on every gradient: gradScale, clipped to a global norm of clipNorm where a norm is given. A NaN norm gives NaN.
ANNEAL_GPU float gradientFactor(const Arena& arena) {
  if (!arena.normSquared.present() || !(arena.clipNorm > 0.0f)) return arena.gradScale;
  const float clip = arena.clipNorm / (fabsf(arena.gradScale) * sqrtf(arena.normSquared[0]) + 1e-6f);
  return arena.gradScale * (clip > 1.0f ? 1.0f : clip);
}

// makeRule(segment, factor) gives the rule of a segment; rule.step<W>(i, norms) updates W elements from i on. W: the elements of one access.
template <int W, class MakeRule> ANNEAL_GPU void updateArena(const Arena& arena, const MakeRule& makeRule) {
  const int64_t lane = threadIdx.x % 32, chunk = flatThread() / 32, n = arena.n;
  const int64_t chunkBegin = chunk * kArenaChunk;
  if (chunkBegin >= n) return;
  const int64_t chunkEnd = chunkBegin + kArenaChunk < n ? chunkBegin + kArenaChunk : n;
  const float factor = gradientFactor(arena);
  for (uint32_t s = firstSegmentBehind(arena, chunkBegin); s < arena.count; ++s) {
    const ArenaSegment segment = segmentAt(arena, s);
    if (segment.begin >= chunkEnd) break;
    const int64_t begin = segment.begin > chunkBegin ? segment.begin : chunkBegin;
    const int64_t end = segment.end < chunkEnd ? segment.end : chunkEnd;
    if (begin >= end || segment.frozen) continue;
    const auto rule = makeRule(segment, factor);
    Norms norms{0.0f, 0.0f};
    const int64_t up = (begin + W - 1) / W * W, headEnd = up < end ? up : end;
    const int64_t down = end / W * W, tailBegin = down > headEnd ? down : headEnd;
    for (int64_t i = headEnd + W * lane; i < tailBegin; i += W * 32) rule.template step<W>(i, norms);
    if (W > 1 && lane < 2 * W) {
      const int64_t edge = lane < W ? begin + lane : tailBegin + lane - W;
      if (edge < (lane < W ? headEnd : end)) rule.template step<1>(edge, norms);
    }
    if (arena.partial.present()) {
      const float update = warpSum(norms.update), weight = warpSum(norms.weight);
      if (lane == 0) arena.partial.as<float2>(2 * (chunk + s)) = make_float2(update, weight);
    }
  }
}

// stats[s] of the segment s = blockIdx.x, by kNormsThreads threads.
ANNEAL_GPU void sumNorms(const ArenaNormsArgs& args) {
  constexpr int kWarps = kNormsThreads / 32;
  using Sums = Array<double, 2 * kWarps>;
  ANNEAL_SHARED(Sums, sums);
  const uint32_t s = blockIdx.x, warp = threadIdx.x / 32;
  const ArenaSegment segment = segmentAt(args.arena, s);
  double update = 0.0, weight = 0.0;
  if (!segment.frozen && segment.begin < segment.end) {
    const int64_t last = (segment.end - 1) / kArenaChunk;
    for (int64_t chunk = segment.begin / kArenaChunk + threadIdx.x; chunk <= last; chunk += kNormsThreads) {
      const float2 part = args.arena.partial.as<float2>(2 * (chunk + s));
      update += part.x;
      weight += part.y;
    }
  }
  update = warpSum(update);
  weight = warpSum(weight);
  if (threadIdx.x % 32 == 0) {
    sums[2 * warp] = update;
    sums[2 * warp + 1] = weight;
  }
  __syncthreads();
  if (threadIdx.x >= 2) return;
  double total = 0.0;
  for (int w = 0; w < kWarps; ++w) total += sums[2 * w + static_cast<int>(threadIdx.x)];
  args.stats[2 * static_cast<int64_t>(s) + threadIdx.x] = static_cast<float>(total);
}

}  // namespace anneal::cuda
