// The arguments of the reduce kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "reduce.h"

namespace anneal::cuda {

// Dimensions of one kind, neighbours merged, so that no more than these alternate with those of the other; 1 in front.
constexpr int kReduceRuns = kReduceRank / 2;
struct ReduceWalk {
  int64_t dims[kReduceRuns];
  int64_t strides[kReduceRuns];
};

// Items are words: f32 or i32. Output k's items are cut into `parts` of `partLength`; with several, what each was folded to waits in
// `partial` [outputs, parts].
struct ReduceArgs {
  Span<const uint32_t> x;
  Span<uint32_t> out;
  Span<uint64_t> partial;
  int64_t outputs, length;
  int64_t partLength;
  uint32_t parts;
  uint32_t code, dtype, accumulate;
  uint32_t fours;            // rows and columns: by vectors of four
  int64_t inner;             // columns: items of an output are so far apart
  uint32_t across, tiles;    // columns: threads of a block side by side, a power of two, and blocks for all of `inner`
  ReduceWalk kept, reduced;  // anything else
};

}  // namespace anneal::cuda
