// Reduction of a dense tensor over any set of its axes.
//
//   out[k...] = f over r... of x[k..., r...]     in [x], out [out]
//
// With accumulate, an f32 sum is added to what out holds, after it was rounded: the same bits as by an addition of its own.
//
// x has dims[0 .. rank), row-major; bit d of `axes` marks dimension d as reduced. out holds the kept dimensions in
// their order. f32 or i32; argmax and argmin write i32: the index of the first winner, counted row-major over the
// reduced dimensions.
//
// f32 sums: vector lanes over at most 4096 items (or 256 rows) in f32, their totals in double, in an order that
// follows from the shape alone; i32 wraps. NaN propagates; argmax and argmin give the first NaN. Over nothing sum and
// sum_squares are 0, prod is 1, mean is NaN; max, min, argmax and argmin are an error.
//
// Flops: one an item. Bytes: 4 an item; memory bandwidth binds outside of the caches.
#pragma once

#include "../../native/core/op.h"

namespace anneal {

constexpr uint32_t kReduceRank = 6;

enum class ReduceCode : uint32_t {
  sum,
  mean,  // f32 only
  max,
  min,
  prod,
  argmax,
  argmin,
  sum_squares,
  count
};

struct ReduceParams {
  uint32_t code;   // ReduceCode
  uint32_t dtype;  // of x: f32 or i32
  uint32_t rank;   // <= 6
  uint32_t dims[kReduceRank];
  uint32_t axes;        // bits
  uint32_t accumulate;  // 0 or 1
};

}  // namespace anneal
