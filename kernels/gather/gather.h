// Rows of a table by index, and the sum back into the table.
//
//   gather           out[i, :] = table[index[i], :]                     in [table, indices i32 [count]], out [out]
//   gather_backward  dtable[r, :] = sum of dy[i, :] over index[i] = r   in [indices, dy [count, width]], out [dtable]
//
// table and dtable are [rows, width], dense. gather moves items of 4 or 1 bytes whatever they mean; gather_backward is
// f32, adds in the order of i and writes all of dtable (0 where no index points). An index outside of [0, rows) raises
// E_RANGE (not on WebGPU and CUDA, whose kernels cannot); what the output holds then is not defined.
//
// Flops: none; backward one an item. Bytes: 8 an item (backward 12, and 4 an item of dtable); memory bandwidth binds,
// and for short rows the latency of the table's lines.
#pragma once

#include "../../native/core/op.h"

namespace anneal {

struct GatherParams {
  uint32_t dtype;  // DType of the table
  uint32_t rows;
  uint32_t width;
  uint32_t count;
};

struct GatherBackwardParams {
  uint32_t rows;
  uint32_t width;
  uint32_t count;
};

}  // namespace anneal
