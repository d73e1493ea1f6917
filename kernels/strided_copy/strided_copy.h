// Copy between two strided views of the same dimensions: transpose, slice, pad (after fill), concat, split, expand
// and flip in one op.
//
//   out[outOffset + i . outStrides] = in[inOffset + i . inStrides]       for all i in dims;  in [in], out [out]
//   with accumulate: out[...] += in[...]                                 f32 and i32 (wrapping); the slice's gradient
//
// Strides and offsets count items; strides may be negative (flip) and inStrides 0 (expand). The output view must not
// visit an item twice: sorted by size, each |stride| of out must pass over all smaller dimensions. Items outside of
// the output view keep their values. in and out must not overlap.
//
// Paths: contiguous runs (memcpy), transposes (blocks of 32 x 32 in the L1 cache, 4 x 4 in registers), anything else.
// Flops: none. Bytes: 2 x 4 an item (u8: 2 x 1); memory bandwidth binds.
#pragma once

#include "../../native/core/op.h"

namespace anneal {

constexpr uint32_t kCopyRank = 6;

struct StridedCopyParams {
  uint32_t dtype;  // DType
  uint32_t rank;   // <= 6
  uint32_t dims[kCopyRank];
  int32_t inStrides[kCopyRank];
  int32_t outStrides[kCopyRank];
  uint32_t inOffset;
  uint32_t outOffset;
  uint32_t accumulate;  // 0 or 1
};

}  // namespace anneal
