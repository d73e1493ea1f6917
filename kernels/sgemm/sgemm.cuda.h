// The arguments of sgemm's kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "sgemm.h"

namespace anneal::cuda {

struct SgemmArgs {
  Span<const float> a, b, bias;
  Span<float> d;  // C; or [parts][batch][M][N] partial sums
  uint32_t m, n, k, batch;
  uint32_t pitchA, pitchB;    // elements from one stored row to the next
  uint64_t strideA, strideB;  // elements from one matrix of the batch to the next
  uint32_t accumulate;
  float least;           // of the result: 0 for relu, else -Infinity
  uint32_t parts, part;  // parts of k, each of so many, a multiple of 32
  uint32_t fours;        // rows of d begin on multiples of 16 bytes
};

// C = the parts' sums, in their order.
struct SumArgs {
  Span<const float> parts;
  Span<const float> bias;
  Span<float> c;
  uint64_t count;  // elements of C
  uint32_t columns, partCount;
  uint32_t accumulate, activation;
};

// y = M x or M^T x: matrix [rows][columns], x and y dense.
struct GemvArgs {
  Span<const float> matrix, x, bias;
  Span<float> y;
  uint32_t rows, columns;
  uint64_t strideMatrix, strideX;  // of the batch
  uint32_t accumulate, activation;
  uint32_t biasStep;  // 1: a bias for each element of y; 0: one for all
};

}  // namespace anneal::cuda
