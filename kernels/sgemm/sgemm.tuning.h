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

// A block of A, kBlockRows x kBlockDepth, stays in L2 (344 KB with AVX-512, 221 KB with AVX2) while panels of B pass through L1.
// Depth: the deeper, the less often C is read and written; 512 beat 256 and 384 with AVX-512 (2 to 4% at 1024 and 2048),
// with AVX2 384 and 512 were equal and 384 spares an L2 of 512 KB. EPYC Zen 5, 2026-11-25.
#if defined(__AVX512F__)
inline constexpr int64_t kBlockRows = 12 * kTileRows, kBlockDepth = 512;
#else
inline constexpr int64_t kBlockRows = 24 * kTileRows, kBlockDepth = 384;
#endif
// A block of B, kBlockDepth x kBlockColumns, is shared by the threads and stays in L3 (4 MB).
inline constexpr int64_t kBlockColumns = 2048;

// Multiply-adds worth a task: about 4 us with AVX-512 and 8 with AVX2, a few times what handing it to a thread costs. 64x64x64
// (262144) takes 2.7 us on one thread and 6.5 on two, 96x96x96 (884736) 9.3 and 5.8. EPYC Zen 5, 2026-11-25.
inline constexpr int64_t kSerialWork = 400'000;
// Multiply-adds a thread below which the product is cut once and each part packs its own operands: beyond about 512^3 on
// two threads packing something twice costs more than meeting after each block of B. EPYC Zen 5, 2026-11-25.
inline constexpr int64_t kForkWork = 80'000'000;
// Rows of a task of a large product: few, so that threads end together (3, 6 and 12 tiles: 88, 88 and 85% of the limit at
// 2048 on two threads), and enough to reuse a panel of B. EPYC Zen 5, 2026-11-25.
inline constexpr int64_t kTaskTiles = 84 / kTileRows;
// Multiply-adds of a task that reads its windows in place: some 20 us, a few rows of an image.
inline constexpr int64_t kWindowTaskWork = 2'000'000;
// Columns up to which rows of A are read in place: each element of A serves too few sums to be worth packing. In place
// against packed: 60000x10x128 0.85 and 1.44 ms, 64x64x64 3.4 and 3.9 us, 128x128x128 28 us both. EPYC Zen 5, 2026-11-25.
inline constexpr int64_t kUnpackedColumns = 2 * kTileColumns;
// Steps of depth packed for all panels of a block before the next: so many rows of the source are in L1 together.
inline constexpr int64_t kPackingSteps = 32;
// Packing an element costs about as much as this many multiply-adds.
inline constexpr int64_t kPackingCost = 12;

}  // namespace anneal::ANNEAL_ISA
