// CUDA C++ for the host's compiler: enough of it to run the project's kernels without a GPU, strictly.
//
// A block's threads are fibers on one thread of the host. A fiber runs until it waits: at __syncthreads, or for the other lanes of
// its warp. The order in which fibers run is drawn anew each time, from a seed, so that a missing barrier shows. Shared memory and
// registers that nobody wrote hold NaN. Every access through a Span or an Array is checked. Asynchronous copies happen when they
// are waited for, and what they will overwrite is poisoned meanwhile. So what passes here is right in logic; nothing here tells how
// fast it is.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../../kernels/common/cuda.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__
#define __grid_constant__
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

#define ANNEAL_GPU inline
#define ANNEAL_SHARED(Type, name)                               \
  static char name##Place = 0;                                  \
  Type& name = *static_cast<Type*>(anneal::cuda::emulation::shared(&name##Place, sizeof(Type)))
#define ANNEAL_SHARED_DYNAMIC(Type, name) \
  Type& name = *static_cast<Type*>(anneal::cuda::emulation::dynamicShared(sizeof(Type)))
#define ANNEAL_SHARED_SPAN(Type, name, items) \
  const anneal::cuda::Span<Type> name { static_cast<Type*>(anneal::cuda::emulation::dynamicShared(sizeof(Type) * (items))), items }

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct uchar4 { unsigned char x, y, z, w; };
struct dim3 { unsigned x = 1, y = 1, z = 1; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }

namespace anneal::cuda::emulation {

// The fiber that runs.
struct Thread {
  dim3 threadIndex, blockIndex, blockDimension, gridDimension;
};
extern Thread* current;

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));
void checkIndex(int64_t i, int64_t count, int64_t size);
void checkAlignment(const void* address, size_t alignment);

void* shared(const void* place, size_t bytes);
void* dynamicShared(size_t bytes);

void syncThreads();
// All lanes of `mask` give `bytes` bytes each, at most 64; afterwards laneValue() has those of any of them.
void exchange(unsigned mask, const void* value, size_t bytes);
const void* laneValue(unsigned lane);  // null: no such lane in the mask

void copyAsync(void* shared, const void* global, size_t bytes);  // global null: zeros
void commitCopies();
void awaitCopies(int left);

template <class T> T shuffle(unsigned mask, T value, unsigned lane) {
  exchange(mask, &value, sizeof value);
  const void* const other = laneValue(lane);
  if (other != nullptr) std::memcpy(&value, other, sizeof value);
  return value;
}
unsigned laneIndex();

float toTf32(float x);
float toBf16(float x);

}  // namespace anneal::cuda::emulation

#define threadIdx (anneal::cuda::emulation::current->threadIndex)
#define blockIdx (anneal::cuda::emulation::current->blockIndex)
#define blockDim (anneal::cuda::emulation::current->blockDimension)
#define gridDim (anneal::cuda::emulation::current->gridDimension)

inline void __syncthreads() { anneal::cuda::emulation::syncThreads(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { anneal::cuda::emulation::exchange(mask, nullptr, 0); }

template <class T> T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  const unsigned self = anneal::cuda::emulation::laneIndex();
  return anneal::cuda::emulation::shuffle(mask, value, (self & ~(width - 1u)) + (static_cast<unsigned>(lane) & (width - 1u)));
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return anneal::cuda::emulation::shuffle(mask, value, anneal::cuda::emulation::laneIndex() ^ static_cast<unsigned>(lanes));
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned self = anneal::cuda::emulation::laneIndex(), end = (self & ~(width - 1u)) + static_cast<unsigned>(width);
  return anneal::cuda::emulation::shuffle(mask, value, self + by < end ? self + by : self);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const unsigned self = anneal::cuda::emulation::laneIndex(), first = self & ~(width - 1u);
  return anneal::cuda::emulation::shuffle(mask, value, self >= first + by ? self - by : self);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  anneal::cuda::emulation::exchange(mask, &predicate, sizeof predicate);
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    if (const void* const vote = anneal::cuda::emulation::laneValue(lane))
      if (*static_cast<const int*>(vote) != 0) votes |= 1u << lane;
  return votes;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

// One thread of the host runs them all, so plain arithmetic is atomic.
template <class T> T atomicAdd(T* at, T value) { const T old = *at; *at = old + value; return old; }
template <class T> T atomicMax(T* at, T value) { const T old = *at; *at = old > value ? old : value; return old; }
template <class T> T atomicMin(T* at, T value) { const T old = *at; *at = old < value ? old : value; return old; }
template <class T> T atomicOr(T* at, T value) { const T old = *at; *at = old | value; return old; }
template <class T> T atomicExch(T* at, T value) { const T old = *at; *at = value; return old; }
template <class T> T atomicCAS(T* at, T expected, T value) { const T old = *at; if (old == expected) *at = value; return old; }
inline void __threadfence() {}

inline unsigned __float_as_uint(float x) { unsigned word; std::memcpy(&word, &x, 4); return word; }
inline int __float_as_int(float x) { int word; std::memcpy(&word, &x, 4); return word; }
inline float __uint_as_float(unsigned word) { float x; std::memcpy(&x, &word, 4); return x; }
inline float __int_as_float(int word) { float x; std::memcpy(&x, &word, 4); return x; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline void sincospi(double x, double* sine, double* cosine) {
  *sine = std::sin(3.141592653589793 * x);
  *cosine = std::cos(3.141592653589793 * x);
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
template <class T> T __ldg(const T* at) { return *at; }
template <class T> void __stwb(T* at, T value) { *at = value; }
template <class T> T min(T a, T b) { return b < a ? b : a; }
template <class T> T max(T a, T b) { return a < b ? b : a; }

namespace anneal::cuda {

template <class T> void copyAsync16(T* shared, const Span<const T>& from, int64_t i, bool there) {
  emulation::checkAlignment(shared, 16);
  if (there) checkSpan(from.data, from.size, i, 16 / sizeof(T), sizeof(T), 16);
  emulation::copyAsync(shared, there ? from.data + i : nullptr, 16);
}
template <class T> void copyAsync4(T* shared, const Span<const T>& from, int64_t i, bool there) {
  emulation::checkAlignment(shared, 4);
  if (there) checkSpan(from.data, from.size, i, 4 / sizeof(T), sizeof(T), 4);
  emulation::copyAsync(shared, there ? from.data + i : nullptr, 4);
}
inline void commitCopies() { emulation::commitCopies(); }
template <int Left> void awaitCopies() { emulation::awaitCopies(Left); }

inline uint32_t toTf32(float x) { return __float_as_uint(emulation::toTf32(x)); }
inline uint32_t toBf16Pair(float low, float high) {
  return (__float_as_uint(emulation::toBf16(high)) & 0xffff0000u) | __float_as_uint(emulation::toBf16(low)) >> 16;
}
void mmaTf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void mmaBf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

// ---- Kernels by name, for the emulated driver ----

using EmulatedKernel = void (*)(const void* kernel, const void* args);
struct KernelEntry {
  const char* room;
  const char* name;
  const void* kernel;
  EmulatedKernel call;  // one thread's run
  size_t argBytes;
  KernelEntry* next;
};
void addKernel(KernelEntry* entry);

template <class A> struct KernelRegistration {
  KernelRegistration(const char* room, const char* name, void (*kernel)(A))
      : entry{room, name, reinterpret_cast<const void*>(kernel), call, sizeof(A), nullptr} {
    addKernel(&entry);
  }
  static void call(const void* kernel, const void* args) {
    std::remove_cv_t<A> own;
    std::memcpy(&own, args, sizeof own);
    reinterpret_cast<void (*)(A)>(const_cast<void*>(kernel))(own);
  }
  KernelEntry entry;
};
template <class A> KernelRegistration(const char*, const char*, void (*)(A)) -> KernelRegistration<A>;

}  // namespace anneal::cuda
