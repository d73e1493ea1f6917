// W neighbouring floats as one access to memory: four of them are 16 bytes.
#pragma once

#include "cuda.cuh"

namespace anneal::cuda {

template <int W> struct alignas(4 * W) Floats {
  float at[W];
};

template <int W> ANNEAL_GPU Floats<W> zeros() {
  Floats<W> zero;
#pragma unroll
  for (int k = 0; k < W; ++k) zero.at[k] = 0.0f;
  return zero;
}

}  // namespace anneal::cuda
