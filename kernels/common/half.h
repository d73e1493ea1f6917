// One f16 (IEEE 754 binary16) to f32 and back, in integers and exact sums, without branches, so that a loop of it becomes vectors
// on any instruction set. Everything here has internal linkage: any file may include it.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define ANNEAL_HALF __device__ __forceinline__
#else
#define ANNEAL_HALF inline
#endif

namespace anneal {
namespace {

ANNEAL_HALF uint32_t wordOf(float x) {
  uint32_t word;
  std::memcpy(&word, &x, sizeof word);
  return word;
}

ANNEAL_HALF float floatOf(uint32_t word) {
  float x;
  std::memcpy(&x, &word, sizeof x);
  return x;
}

// f16 has 5 bits of exponent and 10 of fraction, f32 8 and 23: a shift by 13 and another bias.
ANNEAL_HALF float widened(uint16_t half) {
  constexpr uint32_t kBias = (127 - 15) << 23;
  const uint32_t magnitude = (half & 0x7fffu) << 13;
  const uint32_t sign = (half & 0x8000u) << 16;
  // f 2^-24 as the sum 2^-14 (1 + f 2^-10) less 2^-14.
  const uint32_t subnormal = wordOf(floatOf(magnitude + (113u << 23)) - 0x1p-14f);
  const uint32_t quiet = (half & 0x7fffu) > 0x7c00u ? 1u << 22 : 0u;
  const uint32_t special = (magnitude + 2 * kBias) | quiet;
  const uint32_t normal = magnitude + kBias;
  const uint32_t word = magnitude < (1u << 23) ? subnormal : magnitude >= (31u << 23) ? special : normal;
  return floatOf(word | sign);
}

// Rounded to nearest, ties to even; to infinity from 65520 on.
ANNEAL_HALF uint16_t narrowed(float x) {
  const uint32_t word = wordOf(x);
  const uint32_t magnitude = word & 0x7fffffffu;
  // Below 2^-14: the sum with 1/2, whose last bit is 2^-24, rounds as it should.
  const uint32_t subnormal = wordOf(floatOf(magnitude) + 0.5f) - wordOf(0.5f);
  const uint32_t rounded = (magnitude - ((127u - 15u) << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
  const uint32_t finite = magnitude < (113u << 23) ? subnormal : rounded;
  const uint32_t infinite = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ffu) : 0x7c00u;
  return static_cast<uint16_t>((magnitude >= (143u << 23) ? infinite : finite) | (word >> 16 & 0x8000u));
}

}  // namespace
}  // namespace anneal
