// Portable SIMD: one float vector type per instruction set over GCC/Clang vector extensions.
// vf has kLanes floats. a * b + c contracts to a fused multiply-add where the instruction set has one
// (-ffp-contract=fast). Include only from kernels/**/*.cpu.cpp: each is compiled once per instruction set with
// ANNEAL_ISA naming its namespace, and may use only inline functions of that namespace, so that no code compiled for a
// newer instruction set is ever linked into an older one.
#pragma once

#include <cstdint>
#include <cstring>

#ifndef ANNEAL_ISA
#error "ANNEAL_ISA must name the instruction set's namespace"
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
static inline vf splat(float x) { return vf{} + x; }
static inline vi splati(int32_t x) { return vi{} + x; }
static inline vf select(vi mask, vf a, vf b) { return mask ? a : b; }
static inline vf max(vf a, vf b) { return a > b ? a : b; }
static inline vf min(vf a, vf b) { return a < b ? a : b; }
static inline vi bits(vf v) { return reinterpret_cast<vi>(v); }
static inline vf fromBits(vi v) { return reinterpret_cast<vf>(v); }

// The first n (0 <= n < kLanes) floats; the other lanes are `fill`.
static inline vf loadPartial(const float* p, int n, float fill = 0.0f) {
  alignas(64) float lanes[kLanes];
  for (int i = 0; i < kLanes; ++i) lanes[i] = fill;
  std::memcpy(lanes, p, static_cast<size_t>(n) * 4);
  return load(lanes);
}
static inline void storePartial(float* p, vf v, int n) {
  alignas(64) float lanes[kLanes];
  store(lanes, v);
  std::memcpy(p, lanes, static_cast<size_t>(n) * 4);
}

// Fixed pairwise order, so that the result is a function of the input alone.
static inline float sum(vf v) {
  alignas(64) float lanes[kLanes];
  store(lanes, v);
  for (int width = kLanes / 2; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  return lanes[0];
}

}  // namespace anneal::ANNEAL_ISA
