// gather and gather_backward on CUDA (contract: gather.h).
//
// gather: neighbouring threads copy neighbouring parts of a row, of 16 bytes where rows and operands lie on boundaries of that. 8 bytes an
// item and no arithmetic: memory binds. An index outside of the table cannot be refused here, where nobody would hear of it: its row is
// NaN, 0 for integers.
//
// gather_backward: a warp owns a few rows of the table and 32 or 128 columns of them. It reads all indices, 128 at a time, and adds the
// rows of dy that fall into its own in their order, up to eight of them asked for at once; sums lie in shared memory, each lane's its
// own, and are written once. So there are no atomics, nothing is zeroed first, and the result depends on nothing but the operands.
// 12 bytes an item of dy and 4 an item of dtable; the reading of indices is 4 bytes of L1 for each warp and index, some 0.2 instructions a
// lane: 20 us for 8192 rows into 50000 of 256, about what the writing of dtable takes.
#include "../common/floats.cuh"
#include "gather.cuda.h"

namespace anneal::cuda {
namespace {

template <class V> ANNEAL_GPU V filledWith(uint32_t word) { return static_cast<V>(word); }
template <> ANNEAL_GPU uint4 filledWith<uint4>(uint32_t word) { return make_uint4(word, word, word, word); }

// blockIdx.x: rows; blockIdx.y: parts of rows.
template <class V> ANNEAL_GPU void copyRows(const GatherArgs& args) {
  const uint32_t within = threadIdx.x % args.rowThreads;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * (kGatherThreads / args.rowThreads) + threadIdx.x / args.rowThreads;
  if (i >= args.count) return;
  const int64_t row = args.indices[i];
  const bool there = row >= 0 && row < args.rows;
  const int64_t step = static_cast<int64_t>(gridDim.y) * args.rowThreads * sizeof(V);
  for (int64_t at = (static_cast<int64_t>(blockIdx.y) * args.rowThreads + within) * sizeof(V); at < args.rowBytes; at += step) {
    const V value = there ? args.table.as<V>(row * args.rowBytes + at) : filledWith<V>(args.missingWord);
    args.out.as<V>(i * args.rowBytes + at) = value;
  }
}

template <int W> ANNEAL_GPU void sumRows(const GatherBackwardArgs& args) {
  using Group = Floats<W>;
  using Sums = Array<float, kSumThreads * kMostOwnedRows * W>;
  constexpr int kChunks = 4, kAtOnce = 8;
  ANNEAL_SHARED(Sums, sums);
  const uint32_t lane = threadIdx.x % 32;
  const int64_t warp = flatThread() / 32;
  const int64_t begin = warp / args.columnParts * args.ownedRows;
  const int64_t column = (warp % args.columnParts * 32 + lane) * W;
  if (begin >= args.rows) return;
  const auto length = static_cast<uint32_t>(args.rows - begin < args.ownedRows ? args.rows - begin : args.ownedRows);
  const bool inside = column < args.width;
  const auto sumOf = [&](uint32_t row) -> Group& { return sums.template as<Group>(static_cast<int>((row * kSumThreads + threadIdx.x) * W)); };
  for (uint32_t r = 0; r < length; ++r) sumOf(r) = zeros<W>();

  for (int64_t first = 0; first < args.count; first += 32 * kChunks) {
    uint32_t own[kChunks], hits[kChunks], any = 0;  // the index of this lane, less `begin`; the lanes whose index falls into the warp's rows
#pragma unroll
    for (int j = 0; j < kChunks; ++j) {
      const int64_t i = first + 32 * j + lane;
      const int64_t row = i < args.count ? args.indices[i] - begin : -1;
      own[j] = row >= 0 && row < length ? static_cast<uint32_t>(row) : UINT32_MAX;
    }
#pragma unroll
    for (int j = 0; j < kChunks; ++j) any |= hits[j] = __ballot_sync(kAllLanes, own[j] != UINT32_MAX);
    if (any == 0) continue;
#pragma unroll
    for (int j = 0; j < kChunks; ++j) {
      while (hits[j] != 0) {
        Group parts[kAtOnce];
        uint32_t rows[kAtOnce];
#pragma unroll
        for (int k = 0; k < kAtOnce; ++k) {
          rows[k] = UINT32_MAX;
          if (hits[j] == 0) continue;
          const int from = __popc((hits[j] & (0u - hits[j])) - 1);  // the lowest
          hits[j] &= hits[j] - 1;
          rows[k] = __shfl_sync(kAllLanes, own[j], from);
          if (inside) parts[k] = args.dy.as<Group>((first + 32 * j + from) * args.width + column);
        }
#pragma unroll
        for (int k = 0; k < kAtOnce; ++k) {
          if (rows[k] == UINT32_MAX || !inside) continue;
          Group sum = sumOf(rows[k]);
#pragma unroll
          for (int w = 0; w < W; ++w) sum.at[w] += parts[k].at[w];
          sumOf(rows[k]) = sum;
        }
      }
    }
  }
  if (!inside) return;
  for (uint32_t r = 0; r < length; ++r) args.dtable.as<Group>((begin + r) * args.width + column) = sumOf(r);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) gather16(const GatherArgs args) { copyRows<uint4>(args); }

extern "C" __global__ void __launch_bounds__(256) gather4(const GatherArgs args) { copyRows<uint32_t>(args); }

extern "C" __global__ void __launch_bounds__(256) gather1(const GatherArgs args) { copyRows<unsigned char>(args); }

extern "C" __global__ void __launch_bounds__(128) gather_backward4(const GatherBackwardArgs args) { sumRows<4>(args); }

extern "C" __global__ void __launch_bounds__(128) gather_backward1(const GatherBackwardArgs args) { sumRows<1>(args); }

}  // namespace anneal::cuda
