// Tunables of the packed gemm. Each has one reason, a machine and a date.
#pragma once

#include "../common/simd.h"

namespace anneal::ANNEAL_ISA {

// The register tile: kTileRows x (kTileVectors * kLanes). All accumulators, the vectors of B and one value of A fit.
#if defined(__AVX512F__)
inline constexpr int kTileRows = 14, kTileVectors = 2;  // 28 accumulators of 32 registers
#elif defined(__AVX__)
inline constexpr int kTileRows = 6, kTileVectors = 2;  // 12 of 16
#elif defined(__aarch64__)
inline constexpr int kTileRows = 8, kTileVectors = 3;  // 24 of 32
#else
inline constexpr int kTileRows = 6, kTileVectors = 2;  // 12 of 16 (SSE2)
#endif
inline constexpr int kTileColumns = kTileVectors * kLanes;

// A block of A, kBlockRows x kBlockDepth, stays in L2 (172 KB) beside a panel of B, kBlockDepth x kTileColumns, in L1.
inline constexpr int64_t kBlockRows = 12 * kTileRows;
inline constexpr int64_t kBlockDepth = 256;
// A block of B, kBlockDepth x kBlockColumns, stays in L3 (3 MB).
inline constexpr int64_t kBlockColumns = 3072;

// Multiply-adds below which work stays on one thread: about 5 us, what waking another costs.
inline constexpr int64_t kSerialWork = 200'000;

}  // namespace anneal::ANNEAL_ISA
