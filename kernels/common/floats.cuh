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

// to[i ...] = value. nvcc 13 makes four accesses of an assignment from an element of an array of Floats; a store by name it leaves whole.
template <int W> ANNEAL_GPU void storeFloats(const Span<float>& to, int64_t i, const Floats<W>& value) {
  if constexpr (W == 4) __stwb(&to.as<float4>(i), make_float4(value.at[0], value.at[1], value.at[2], value.at[3]));
  else to.as<Floats<W>>(i) = value;
}

}  // namespace anneal::cuda
