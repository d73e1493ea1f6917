// The arguments of the random kernels on CUDA.
#pragma once

#include "../common/cuda.h"
#include "random.h"

namespace anneal::cuda {

constexpr uint32_t kRandomThreads = 256;

// How many elements there are and which words they have: philox.h.
struct Draws {
  int64_t count;
  uint32_t seedLo, seedHi, stream, counter;
  uint32_t aligned;  // the operands, by 16 bytes
};

struct UniformArgs {
  Span<float> y;
  Draws draws;
  float low, range, high;
  float below;      // the float below `high` where low < high, else `high`
  uint32_t isUnit;  // [0, 1)
};

struct NormalArgs {
  Span<float> y;
  Draws draws;
  float mean, std;
  uint32_t truncated;
};

struct BernoulliArgs {
  Span<float> y;
  Draws draws;
  uint32_t threshold;  // of a word's upper 24 bits
};

struct DropoutArgs {
  Span<const float> x;
  Span<float> y;
  Draws draws;
  uint32_t threshold;
  float scale;
};

}  // namespace anneal::cuda
