// What both sides of a CUDA launch share: the host that fills a kernel's arguments (<room>.cuda.cpp) and the kernel (<room>.cu).
// A kernel takes one struct of arguments by value; its type stands once, in <room>.cuda.h, so that neither side can differ.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)
#define ANNEAL_DEVICE __host__ __device__ __forceinline__
#else
#define ANNEAL_DEVICE inline
#endif

namespace anneal::cuda {

#if defined(ANNEAL_CUDA_EMULATION)
// Ends the launch with an error that says where: emulator.cpp.
void checkSpan(const void* data, int64_t size, int64_t first, int64_t count, size_t itemBytes, size_t alignment);
#endif

// V, const where T is.
template <class T, class V> struct Like { using Type = V; };
template <class T, class V> struct Like<const T, V> { using Type = const V; };

// Items of device memory. The size is there for the emulator, which checks every access; on a GPU nothing reads it.
template <class T> struct Span {
  T* data;
  int64_t size;  // items

  ANNEAL_DEVICE bool present() const { return data != nullptr; }

  ANNEAL_DEVICE T& operator[](int64_t i) const {
#if defined(ANNEAL_CUDA_EMULATION)
    checkSpan(data, size, i, 1, sizeof(T), alignof(T));
#endif
    return data[i];
  }

  // The items from i on, as one of a vector type V: one access of sizeof(V) bytes, which must lie on a multiple of it.
  template <class V> ANNEAL_DEVICE typename Like<T, V>::Type& as(int64_t i) const {
#if defined(ANNEAL_CUDA_EMULATION)
    checkSpan(data, size, i, sizeof(V) / sizeof(T), sizeof(T), sizeof(V));
#endif
    return *reinterpret_cast<typename Like<T, V>::Type*>(data + i);
  }

  ANNEAL_DEVICE Span from(int64_t i) const { return {data + i, size - i}; }
};

// Division by a number that is known before the launch: by a multiplication, for dividends below 2^31 (Granlund and Montgomery, 1994).
struct Divider {
  uint32_t divisor, factor, shift;

  static Divider by(uint32_t divisor) {
    uint32_t shift = 0;
    while ((uint64_t{1} << shift) < divisor) ++shift;
    const auto factor = static_cast<uint32_t>(((uint64_t{1} << 32) * ((uint64_t{1} << shift) - divisor)) / divisor + 1);
    return {divisor, factor, shift};
  }

  ANNEAL_DEVICE uint32_t quotient(uint32_t x) const {
    const auto high = static_cast<uint32_t>(static_cast<uint64_t>(x) * factor >> 32);
    return (high + x) >> shift;
  }
  // The quotient; `rest` gets what is left.
  ANNEAL_DEVICE uint32_t divide(uint32_t x, uint32_t& rest) const {
    const uint32_t q = quotient(x);
    rest = x - q * divisor;
    return q;
  }
};

}  // namespace anneal::cuda
