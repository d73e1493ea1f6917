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

}  // namespace anneal::cuda
