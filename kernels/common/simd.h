// Portable SIMD: one float vector type per instruction set over GCC/Clang vector extensions.
// vf has kLanes floats. a * b + c contracts to a fused multiply-add where the instruction set has one
// (-ffp-contract=fast). Include only from kernels/**/*.cpu.cpp: each is compiled once per instruction set with
// ANNEAL_ISA naming its namespace, and may use only inline functions of that namespace, so that no code compiled for a
// newer instruction set is ever linked into an older one.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX__)
#include <immintrin.h>
#endif

#ifndef ANNEAL_ISA
#error "ANNEAL_ISA must name the instruction set's namespace"
#endif

// Before a loop with few, constant steps over an array of vectors: only once it is unrolled can those live in registers.
#if defined(__clang__)
#define ANNEAL_UNROLL _Pragma("unroll")
#else
#define ANNEAL_UNROLL _Pragma("GCC unroll 32")
#endif

namespace anneal::ANNEAL_ISA {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
#elif defined(__AVX__)
inline constexpr int kLanes = 8;
#else
inline constexpr int kLanes = 4;
#endif

typedef float vf __attribute__((vector_size(kLanes * 4)));
typedef int32_t vi __attribute__((vector_size(kLanes * 4)));
typedef float vf_unaligned __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef int32_t vi_unaligned __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

static inline vf load(const float* p) { return *reinterpret_cast<const vf_unaligned*>(p); }
static inline void store(float* p, vf v) { *reinterpret_cast<vf_unaligned*>(p) = v; }
static inline vi loadi(const int32_t* p) { return *reinterpret_cast<const vi_unaligned*>(p); }
static inline void storei(int32_t* p, vi v) { *reinterpret_cast<vi_unaligned*>(p) = v; }
static inline vf splat(float x) { return x - vf{}; }  // unlike 0 + x, this is x for -0 too, hence no instruction
static inline vi splati(int32_t x) { return vi{} + x; }
static inline vf select(vi mask, vf a, vf b) { return mask ? a : b; }
static inline vf max(vf a, vf b) { return a > b ? a : b; }
static inline vf min(vf a, vf b) { return a < b ? a : b; }
static inline vi bits(vf v) { return reinterpret_cast<vi>(v); }
static inline vf fromBits(vi v) { return reinterpret_cast<vf>(v); }

// The first n (0 <= n <= kLanes) floats; the other lanes are `fill`. Masked instructions where there are some: memory
// beyond the n floats is not touched.
#if defined(__AVX512F__)
static inline vf loadPartial(const float* p, int n, float fill = 0.0f) {
  const auto mask = static_cast<__mmask16>((1u << n) - 1);
  return reinterpret_cast<vf>(_mm512_mask_loadu_ps(reinterpret_cast<__m512>(splat(fill)), mask, p));
}
static inline void storePartial(float* p, vf v, int n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), reinterpret_cast<__m512>(v));
}
#elif defined(__AVX__)
static inline vi firstLanes(int n) { return vi{0, 1, 2, 3, 4, 5, 6, 7} < splati(n); }
static inline vf loadPartial(const float* p, int n, float fill = 0.0f) {
  const vi mask = firstLanes(n);
  const vf v = reinterpret_cast<vf>(_mm256_maskload_ps(p, reinterpret_cast<__m256i>(mask)));
  return select(mask, v, splat(fill));
}
static inline void storePartial(float* p, vf v, int n) {
  _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(firstLanes(n)), reinterpret_cast<__m256>(v));
}
#else
static inline vf loadPartial(const float* p, int n, float fill = 0.0f) {
  vf v = splat(fill);
  for (int i = 0; i < kLanes; ++i)
    if (i < n) v[i] = p[i];
  return v;
}
static inline void storePartial(float* p, vf v, int n) {
  for (int i = 0; i < kLanes; ++i)
    if (i < n) p[i] = v[i];
}
#endif

// Whether some lane of a or b is NaN.
static inline bool anyNaN(vf a, vf b) {
#if defined(__AVX512F__)
  return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), _CMP_UNORD_Q) != 0;
#elif defined(__AVX__)
  return _mm256_movemask_ps(_mm256_cmp_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), _CMP_UNORD_Q)) != 0;
#else
  const vi nan = (a != a) | (b != b);
  int any = 0;
  for (int i = 0; i < kLanes; ++i) any |= nan[i];
  return any != 0;
#endif
}

// The largest lane.
static inline float maximum(vf v) {
  typedef float v4 __attribute__((vector_size(16)));
#if defined(__AVX512F__)
  typedef float v8 __attribute__((vector_size(32)));
  const v8 a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
  const v8 b = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const v8 w = a > b ? a : b;
  const v4 x = __builtin_shufflevector(w, w, 0, 1, 2, 3), y = __builtin_shufflevector(w, w, 4, 5, 6, 7);
#elif defined(__AVX__)
  const v4 x = __builtin_shufflevector(v, v, 0, 1, 2, 3), y = __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  const v4 x = v, y = v;
#endif
  const v4 z = x > y ? x : y;
  const float p = z[0] > z[2] ? z[0] : z[2], q = z[1] > z[3] ? z[1] : z[3];
  return p > q ? p : q;
}

// Fixed pairwise order (lane i + lane i + width, width = kLanes / 2, ..., 1), so that the result is a function of the
// input alone.
static inline float sum(vf v) {
  typedef float v4 __attribute__((vector_size(16)));
#if defined(__AVX512F__)
  typedef float v8 __attribute__((vector_size(32)));
  const v8 w = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
               __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  const v4 x = __builtin_shufflevector(w, w, 0, 1, 2, 3) + __builtin_shufflevector(w, w, 4, 5, 6, 7);
#elif defined(__AVX__)
  const v4 x = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
  const v4 x = v;
#endif
  return (x[0] + x[2]) + (x[1] + x[3]);
}

}  // namespace anneal::ANNEAL_ISA
