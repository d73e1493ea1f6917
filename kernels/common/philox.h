// Philox4x32-10, the counter-based generator behind all randomness: a pure function of (key, counter), so a draw does
// not depend on threads, instruction sets or what was drawn before. src/random/philox.ts gives the same bits.
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
#pragma once

#include <cstdint>

// CUDA kernels run the same text.
#if defined(__CUDACC__)
#define ANNEAL_ANYWHERE __host__ __device__
#else
#define ANNEAL_ANYWHERE
#endif

namespace anneal::philox {

inline constexpr uint32_t kMultiplier0 = 0xd2511f53u, kMultiplier1 = 0xcd9e8d57u;
inline constexpr uint32_t kWeyl0 = 0x9e3779b9u, kWeyl1 = 0xbb67ae85u;
inline constexpr int kRounds = 10;

struct Key {
  uint32_t k0, k1;
};

// kBlocks outputs at once, word j of block b in words[j][b]: on entry the counters, on return four uniform words each.
// Plain loops over the blocks, which the compiler turns into vectors. (static: one instance a translation unit, since
// these are compiled for different instruction sets.)
template <int kBlocks> ANNEAL_ANYWHERE static inline void encrypt(Key key, uint32_t (&words)[4][kBlocks]) {
  for (int round = 0; round < kRounds; ++round) {
    for (int b = 0; b < kBlocks; ++b) {
      const uint64_t product0 = static_cast<uint64_t>(kMultiplier0) * words[0][b];
      const uint64_t product1 = static_cast<uint64_t>(kMultiplier1) * words[2][b];
      words[0][b] = static_cast<uint32_t>(product1 >> 32) ^ words[1][b] ^ key.k0;
      words[1][b] = static_cast<uint32_t>(product1);
      words[2][b] = static_cast<uint32_t>(product0 >> 32) ^ words[3][b] ^ key.k1;
      words[3][b] = static_cast<uint32_t>(product0);
    }
    key.k0 += kWeyl0;
    key.k1 += kWeyl1;
  }
}

// A word as a float in [0, 1): its upper 24 bits, exactly.
ANNEAL_ANYWHERE static inline float toUnit(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24f; }

// toUnit(word) < p is (word >> 8) < threshold(p), for p in [0, 1].
ANNEAL_ANYWHERE static inline uint32_t threshold(float p) {
  const double scaled = static_cast<double>(p) * 0x1p24;
  const auto floor = static_cast<uint32_t>(scaled);
  return floor < scaled ? floor + 1 : floor;
}

}  // namespace anneal::philox
