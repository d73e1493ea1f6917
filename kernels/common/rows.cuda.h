// How kernels that take a matrix row by row (rows.cuh) are launched, by a room's host side.
#pragma once

#include <cstdint>

namespace anneal::cuda {

// A room's kernels for teams of 8 lanes, of a warp, and of a block of 256.
struct RowKernels {
  const char *eight, *warp, *block;
};

constexpr uint32_t kRowBlock = 256;

// 8 lanes up to 32 columns, a warp up to `warpCols`, what it keeps in registers. By the shape alone, as bits follow from it.
template <class Call, class A>
void launchRows(const Call& call, const RowKernels& kernels, int64_t rows, int64_t cols, const A& args, int64_t warpCols = 1024) {
  const int64_t lanes = cols <= 32 ? 8 : cols <= warpCols ? 32 : kRowBlock;
  const char* const kernel = lanes == 8 ? kernels.eight : lanes == 32 ? kernels.warp : kernels.block;
  call.launch(kernel, {static_cast<uint32_t>((rows * lanes + kRowBlock - 1) / kRowBlock)}, {kRowBlock}, args);
}

}  // namespace anneal::cuda
