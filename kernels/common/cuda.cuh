// What every room's .cu may use. The same text is compiled by nvcc and, for tests without a GPU, by the host's compiler, which runs
// threads as fibers (test/cuda_emulator/): so it uses CUDA C++ plainly, and what is not plain (shared memory, asynchronous copies,
// matrix instructions) by the names below.
#pragma once

#include "cuda.h"

#if defined(ANNEAL_CUDA_EMULATION)
#include "../../test/cuda_emulator/emulation.h"
#else
#define ANNEAL_GPU __device__ __forceinline__
// A block's shared memory of one type; its size is part of the kernel (48 KB at most).
#define ANNEAL_SHARED(Type, name) __shared__ Type name
// The same of a size that the launch says (sizeof(Type)), for more.
#define ANNEAL_SHARED_DYNAMIC(Type, name)                 \
  extern __shared__ __align__(16) unsigned char dynamicShared[]; \
  Type& name = *reinterpret_cast<Type*>(dynamicShared)
// The same as items of a number that the kernel's arguments say.
#define ANNEAL_SHARED_SPAN(Type, name, items)                    \
  extern __shared__ __align__(16) unsigned char dynamicShared[]; \
  const anneal::cuda::Span<Type> name { reinterpret_cast<Type*>(dynamicShared), items }
#endif

namespace anneal::cuda {

// An array in shared memory or registers; the emulator checks its indices.
template <class T, int N> struct Array {
  T items[N];

  ANNEAL_GPU T& operator[](int i) {
#if defined(ANNEAL_CUDA_EMULATION)
    emulation::checkIndex(i, 1, N);
#endif
    return items[i];
  }
  // The items from i on as one of a vector type.
  template <class V> ANNEAL_GPU V& as(int i) {
#if defined(ANNEAL_CUDA_EMULATION)
    emulation::checkIndex(i, sizeof(V) / sizeof(T), N);
    emulation::checkAlignment(items + i, sizeof(V));
#endif
    return *reinterpret_cast<V*>(items + i);
  }
};

constexpr unsigned kAllLanes = 0xffffffffu;

// The index of this thread in a one-dimensional grid.
ANNEAL_GPU int64_t flatThread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

// Sums over the 32 lanes of a warp, in one order: every lane gets it.
template <class T> ANNEAL_GPU T warpSum(T value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

// NaN wins.
ANNEAL_GPU float larger(float a, float b) { return a > b || a != a ? a : b; }

ANNEAL_GPU float warpMax(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) value = larger(value, __shfl_xor_sync(kAllLanes, value, offset));
  return value;
}

// ---- Teams: threads that work on one row, `Threads` of a warp (a power of two up to 32) or a block of more ----

template <int Threads> ANNEAL_GPU int teamLane() { return static_cast<int>(threadIdx.x) % Threads; }
template <int Threads> ANNEAL_GPU int64_t teamIndex() { return flatThread() / Threads; }

// What a fold hands from lane to lane; rooms may add types.
ANNEAL_GPU float fromLane(float value, int lanes) { return __shfl_xor_sync(kAllLanes, value, lanes); }
ANNEAL_GPU uint32_t fromLane(uint32_t value, int lanes) { return __shfl_xor_sync(kAllLanes, value, lanes); }
ANNEAL_GPU uint64_t fromLane(uint64_t value, int lanes) { return __shfl_xor_sync(kAllLanes, value, lanes); }
ANNEAL_GPU float2 fromLane(float2 value, int lanes) { return make_float2(fromLane(value.x, lanes), fromLane(value.y, lanes)); }

// The values of a team's threads by merge(a, b), which must not care which of the two comes first: all of them get it, in one order.
// The whole block comes here, all its warps with all lanes.
template <int Threads, class T, class Merge> ANNEAL_GPU T teamFold(T value, Merge merge) {
#pragma unroll
  for (int lanes = (Threads < 32 ? Threads : 32) / 2; lanes > 0; lanes /= 2) value = merge(value, fromLane(value, lanes));
  if constexpr (Threads > 32) {
    constexpr int kWarps = Threads / 32;
    using Parts = Array<T, kWarps>;
    ANNEAL_SHARED(Parts, parts);
    __syncthreads();  // what an earlier fold left was read
    if (threadIdx.x % 32 == 0) parts[static_cast<int>(threadIdx.x / 32)] = value;
    __syncthreads();
    value = parts[static_cast<int>(threadIdx.x) % kWarps];
#pragma unroll
    for (int lanes = kWarps / 2; lanes > 0; lanes /= 2) value = merge(value, fromLane(value, lanes));
  }
  return value;
}

template <int Threads, class T> ANNEAL_GPU T teamSum(T value) {
  return teamFold<Threads>(value, [](T a, T b) { return a + b; });
}
// NaN loses.
template <int Threads> ANNEAL_GPU float teamMax(float value) {
  return teamFold<Threads>(value, [](float a, float b) { return fmaxf(a, b); });
}

// The same over the threads threadIdx.x = column + down * across of a block, for each column: thread `column` gets it. `across` is a
// power of two.
template <int Threads, class T, class Merge> ANNEAL_GPU T columnFold(T value, int across, Merge merge) {
  using Parts = Array<T, Threads>;
  ANNEAL_SHARED(Parts, parts);
  const int thread = static_cast<int>(threadIdx.x);
  __syncthreads();
  parts[thread] = value;
  for (int half = Threads / 2; half >= across; half /= 2) {
    __syncthreads();
    if (thread < half) parts[thread] = merge(parts[thread], parts[thread + half]);
  }
  return parts[thread];
}

// Activations of epilogues, by the codes of activation.h.
ANNEAL_GPU float activate(float x, uint32_t code) {
  switch (code) {
    case 1: return x < 0 ? 0.0f : x;
    case 2: return 1.0f / (1.0f + expf(-x));
    case 3: return tanhf(x);
    default: return x;
  }
}

// ---- Asynchronous copies from global to shared memory (sm_80 and later) ----

#if !defined(ANNEAL_CUDA_EMULATION) && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800)
// 16 bytes from item i on, both addresses multiples of 16; with `there` false zeros, and nothing is read.
template <class T> ANNEAL_GPU void copyAsync16(T* shared, const Span<const T>& from, int64_t i, bool there) {
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int bytes = there ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(to), "l"(from.data + (there ? i : 0)), "r"(bytes));
}
// 4 bytes.
template <class T> ANNEAL_GPU void copyAsync4(T* shared, const Span<const T>& from, int64_t i, bool there) {
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int bytes = there ? 4 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(to), "l"(from.data + (there ? i : 0)), "r"(bytes));
}
ANNEAL_GPU void commitCopies() { asm volatile("cp.async.commit_group;\n" ::); }
// Waits for all but the latest `Left` groups of this thread.
template <int Left> ANNEAL_GPU void awaitCopies() { asm volatile("cp.async.wait_group %0;\n" ::"n"(Left)); }

// ---- Matrix instructions of a warp (sm_80 and later): d += a b, f32 accumulation ----
// Fragments as in the PTX manual, "Matrix Fragments for mma.m16n8k8" and "mma.m16n8k16".

// f32 rounded to TF32, to nearest, ties away from zero.
ANNEAL_GPU uint32_t toTf32(float x) {
  uint32_t word;
  asm("cvt.rna.tf32.f32 %0, %1;\n" : "=r"(word) : "f"(x));
  return word;
}
// Two f32 rounded to bf16, to nearest even: `low` in the low half.
ANNEAL_GPU uint32_t toBf16Pair(float low, float high) {
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(word) : "f"(high), "f"(low));
  return word;
}
ANNEAL_GPU void mmaTf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
ANNEAL_GPU void mmaBf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

}  // namespace anneal::cuda
