// What the optimizers on CUDA have in common, for both sides of a launch: the arena (segments.h) and how it is cut.
#pragma once

#include "cuda.h"
#include "segments.h"

namespace anneal::cuda {

// Elements that a warp takes, four rounds of a float4 a lane: small models still keep all multiprocessors busy, and finding the
// segments costs little beside the 14 KB of memory moved.
constexpr int64_t kArenaChunk = 512;
constexpr uint32_t kArenaThreads = 128;
constexpr int64_t kArenaBlock = kArenaChunk * kArenaThreads / 32;
constexpr uint32_t kNormsThreads = 256;

struct Arena {
  Span<const int32_t> segments;
  Span<const float> normSquared;
  Span<float> partial;  // sums of squares of updates and of weights, by chunk + segment; absent without stats
  uint32_t n, count;    // elements, rows of the segment table
  float gradScale, clipNorm;
};

struct ArenaNormsArgs {
  Arena arena;
  Span<float> stats;
};

// Call is that of launch.h; P the parameters of an optimizer.
template <class Call, class P> Arena arenaOf(const Call& call, const P& p, bool stats) {
  const int64_t chunks = (int64_t{p.n} + kArenaChunk - 1) / kArenaChunk;
  return {call.template input<int32_t>(1), call.template input<float>(2), call.template scratch<float>(stats ? 2 * (chunks + p.segments) : 0),
          p.n, p.segments, p.gradScale, p.clipNorm};
}

}  // namespace anneal::cuda
