// The matrix units' instructions, by the fragments that PTX's manual gives each lane.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "emulation.h"

namespace anneal::cuda {
namespace emulation {

float toTf32(float x) {
  if (!(std::abs(x) <= 3.4e38f)) return x;
  uint32_t word;
  std::memcpy(&word, &x, 4);
  word = (word + 0x1000u) & ~0x1fffu;
  std::memcpy(&x, &word, 4);
  return x;
}

float toBf16(float x) {
  if (!(std::abs(x) <= 3.4e38f)) return x;
  uint32_t word;
  std::memcpy(&word, &x, 4);
  word = (word + 0x7fffu + (word >> 16 & 1)) & ~0xffffu;
  std::memcpy(&x, &word, 4);
  return x;
}

}  // namespace emulation

namespace {

struct Fragments {
  uint32_t a[4], b[2];
};

float wordAsFloat(uint32_t word) {
  float x;
  std::memcpy(&x, &word, 4);
  return x;
}

}  // namespace

// PTX manual, "Matrix Fragments for mma.m16n8k8": of lane l, with g = l / 4 and t = l % 4, a holds (g, t), (g + 8, t), (g, t + 4),
// (g + 8, t + 4); b holds (t, g), (t + 4, g); d holds (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
void mmaTf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Fragments own;
  std::memcpy(own.a, a, sizeof own.a);
  std::memcpy(own.b, b, sizeof own.b);
  emulation::exchange(0xffffffffu, &own, sizeof own);
  const unsigned lane = emulation::laneIndex(), g = lane / 4, t = lane % 4;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = g + (i / 2) * 8, column = 2 * t + i % 2;
    double sum = d[i];
    for (unsigned k = 0; k < 8; ++k) {
      Fragments fa, fb;
      std::memcpy(&fa, emulation::laneValue(row % 8 * 4 + k % 4), sizeof fa);
      std::memcpy(&fb, emulation::laneValue(column * 4 + k % 4), sizeof fb);
      // The hardware reads 19 bits of each.
      const float x = wordAsFloat(fa.a[row / 8 + k / 4 * 2] & ~0x1fffu), y = wordAsFloat(fb.b[k / 4] & ~0x1fffu);
      sum += static_cast<double>(x) * y;
    }
    d[i] = static_cast<float>(sum);
  }
}

// "Matrix Fragments for mma.m16n8k16": pairs of bf16 in a word; a holds rows g, g + 8 of columns 2t, 2t + 1, then the same of
// columns 2t + 8, 2t + 9; b holds rows 2t, 2t + 1 of column g, then rows 2t + 8, 2t + 9.
void mmaBf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Fragments own;
  std::memcpy(own.a, a, sizeof own.a);
  std::memcpy(own.b, b, sizeof own.b);
  emulation::exchange(0xffffffffu, &own, sizeof own);
  const unsigned lane = emulation::laneIndex(), g = lane / 4, t = lane % 4;
  const auto half = [](uint32_t word, unsigned k) { return wordAsFloat(k % 2 == 0 ? word << 16 : word & 0xffff0000u); };
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = g + (i / 2) * 8, column = 2 * t + i % 2;
    double sum = d[i];
    for (unsigned k = 0; k < 16; ++k) {
      Fragments fa, fb;
      std::memcpy(&fa, emulation::laneValue(row % 8 * 4 + k % 8 / 2), sizeof fa);
      std::memcpy(&fb, emulation::laneValue(column * 4 + k % 8 / 2), sizeof fb);
      sum += static_cast<double>(half(fa.a[row / 8 + k / 8 * 2], k)) * half(fb.b[k / 8], k);
    }
    d[i] = static_cast<float>(sum);
  }
}

}  // namespace anneal::cuda
