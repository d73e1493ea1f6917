// The arguments of the gather kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "gather.h"

namespace anneal::cuda {

constexpr uint32_t kGatherThreads = 256;
constexpr uint32_t kSumThreads = 128;
constexpr uint32_t kMostOwnedRows = 8;

// Rows as bytes: what an item means does not matter.
struct GatherArgs {
  Span<const unsigned char> table;
  Span<const int32_t> indices;
  Span<unsigned char> out;
  int64_t rows, rowBytes, count;
  uint32_t rowThreads;   // neighbouring threads of a row, a power of two up to kGatherThreads
  uint32_t missingWord;  // what a row outside of the table is made of
};

struct GatherBackwardArgs {
  Span<const int32_t> indices;
  Span<const float> dy;
  Span<float> dtable;
  int64_t rows, width, count;
  uint32_t ownedRows;  // of a warp, up to kMostOwnedRows
  uint32_t columnParts;  // warps beside each other
};

}  // namespace anneal::cuda
