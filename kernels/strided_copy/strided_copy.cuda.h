// The arguments of the strided_copy kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "strided_copy.h"

namespace anneal::cuda {

// Division of n < 2^31 by a constant: a product and a shift. Granlund, Montgomery, "Division by invariant integers using multiplication" (1994).
struct Divisor {
  uint32_t by, factor, shift;
};

// Units of 1, 4 or 16 bytes, the last dimension nearest; out's strides are positive and fall. Fewer than 2^31 units.
struct CopyArgs {
  Span<const unsigned char> x;
  Span<unsigned char> out;
  uint32_t count, rank;
  Divisor dims[kCopyRank];
  int64_t inStrides[kCopyRank], outStrides[kCopyRank];  // bytes
  int64_t inOffset, outOffset;
  uint32_t unit;     // bytes
  uint32_t addsAs;   // 0 copies, 1 adds f32, 2 adds i32
  // copy_tiles: dimension `fast` and the last make tiles of 32 x 32, so many of them; dims of the others, 1 for these two.
  uint32_t fast, rows, cols;
  Divisor tileRows, tileCols;
};

}  // namespace anneal::cuda
