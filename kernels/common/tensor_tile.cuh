// The tiled product on matrix units (compute capability 8.0): gemm_tile.cuh's places, multiplied by mma.sync in TF32 or bf16, added up in
// f32.
//
// Blocking   128 x 128 a block, 16 deep, in four buffers of shared memory (80 KB at most: every GPU since 8.0 has 99); 8 warps of 64 x 32,
//            each 4 x 4 matrices of 16 x 8 in registers (64 sums a thread).
// Filling    By asynchronous copies of 16 bytes, three buffers ahead, as the operand lies: rows along k have a pitch of 20 words, rows along
//            o one of 136, so that the 32 lanes' reads of a fragment (8 rows apart by o, 4 by k) meet 32 banks. Values are f32 in shared memory and rounded
//            on the way to the units: TF32 to nearest (10 bits of fraction), bf16 to nearest even (7 bits).
// Order      k upwards, 8 (TF32) or 16 (bf16) at a time, in whatever order the unit adds those.
// Limits     16 of k bring 16 KB for 2 * 128 * 128 * 16 flops: 32 flops a byte of L2.
#pragma once

#include "gemm_tile.cuh"

namespace anneal::cuda {

enum class Rounding { tf32, bf16 };

constexpr int kTensorTile = 128;
constexpr int kTensorDepth = 16;
constexpr int kTensorStages = 4;

template <bool Along> struct TensorBuffer {
  static constexpr int pitch = Along ? kTensorTile + 8 : kTensorDepth + 4;
  Array<float, (Along ? kTensorDepth : kTensorTile) * pitch> items;
  ANNEAL_GPU static constexpr int at(int o, int k) { return Along ? k * pitch + o : o * pitch + k; }
};

template <bool AlongA, bool AlongB> struct TensorStage {
  TensorBuffer<AlongA> a;
  TensorBuffer<AlongB> b;
};

#if ANNEAL_ASYNC_COPIES

template <bool Along, class Place> class TensorLoader {
 public:
  ANNEAL_GPU TensorLoader(const Place& place, int o0) {
#pragma unroll
    for (int i = 0; i < count; ++i) {
      int o, k;
      slot(i, o, k);
      lines_[i] = place.line(o0 + o);
    }
  }

  ANNEAL_GPU void fetch(const Place& place, int k0, int kEnd, TensorBuffer<Along>& buffer) {
#pragma unroll
    for (int i = 0; i < count; ++i) {
      int o, k;
      slot(i, o, k);
      int64_t index = 0;
      const bool there = k0 + k < kEnd && place.at(lines_[i], k0 + k, index);
      copyAsync16(&buffer.items[TensorBuffer<Along>::at(o, k)], place.data, index, there);
    }
  }

 private:
  static constexpr int count = kTensorTile * kTensorDepth / 4 / 256;

  ANNEAL_GPU static void slot(int i, int& o, int& k) {
    const int piece = i * 256 + static_cast<int>(threadIdx.x);
    if constexpr (Along) {
      k = piece / (kTensorTile / 4);
      o = piece % (kTensorTile / 4) * 4;
    } else {
      o = piece / (kTensorDepth / 4);
      k = piece % (kTensorDepth / 4) * 4;
    }
  }

  typename Place::Line lines_[count];
};

// As multiplyTile, for places that give four elements at once.
template <Rounding R, bool AlongA, bool AlongB, class PlaceA, class PlaceB, class Finish>
ANNEAL_GPU void multiplyTensorTile(const PlaceA& placeA, const PlaceB& placeB, int oa0, int ob0, int kBegin, int kEnd,
                                   const Finish& finish) {
  using Stage = TensorStage<AlongA, AlongB>;
  constexpr int Stages = kTensorStages;
  using Buffers = Array<Stage, Stages>;
  ANNEAL_SHARED_DYNAMIC(Buffers, stages);
  TensorLoader<AlongA, PlaceA> loadA(placeA, oa0);
  TensorLoader<AlongB, PlaceB> loadB(placeB, ob0);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int g = lane / 4, t = lane % 4;
  const int rowBase = warp / 4 * 64, columnBase = warp % 4 * 32;

  float sums[4][4][4];
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) sums[i][j][e] = 0;

  const auto fetch = [&](int k0, int stage) {
    if (k0 < kEnd) {
      loadA.fetch(placeA, k0, kEnd, stages[stage].a);
      loadB.fetch(placeB, k0, kEnd, stages[stage].b);
    }
    commitCopies();
  };
#pragma unroll
  for (int s = 0; s + 1 < Stages; ++s) fetch(kBegin + s * kTensorDepth, s);
  int now = 0;
  for (int k0 = kBegin; k0 < kEnd; k0 += kTensorDepth) {
    awaitCopies<Stages - 2>();
    __syncthreads();  // this stage is there, and nobody reads the one that is filled next
    const int next = now == 0 ? Stages - 1 : now - 1;
    fetch(k0 + (Stages - 1) * kTensorDepth, next);
    auto& a = stages[now].a;
    auto& b = stages[now].b;
    using A = TensorBuffer<AlongA>;
    using B = TensorBuffer<AlongB>;
    constexpr int kStep = R == Rounding::tf32 ? 8 : 16;
#pragma unroll
    for (int k = 0; k < kTensorDepth; k += kStep) {
      uint32_t fa[4][4], fb[4][2];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = rowBase + i * 16 + g;
#pragma unroll
        for (int e = 0; e < 4; ++e) {  // rows g and g + 8, then the second half of k
          const int o = row + e % 2 * 8;
          if constexpr (R == Rounding::tf32) {
            fa[i][e] = toTf32(a.items[A::at(o, k + t + e / 2 * 4)]);
          } else {
            const int kk = k + 2 * t + e / 2 * 8;
            fa[i][e] = toBf16Pair(a.items[A::at(o, kk)], a.items[A::at(o, kk + 1)]);
          }
        }
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int column = columnBase + j * 8 + g;
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          if constexpr (R == Rounding::tf32) {
            fb[j][e] = toTf32(b.items[B::at(column, k + t + e * 4)]);
          } else {
            const int kk = k + 2 * t + e * 8;
            fb[j][e] = toBf16Pair(b.items[B::at(column, kk)], b.items[B::at(column, kk + 1)]);
          }
        }
      }
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          if constexpr (R == Rounding::tf32) mmaTf32(sums[i][j], fa[i], fb[j]);
          else mmaBf16(sums[i][j], fa[i], fb[j]);
        }
    }
    now = now + 1 == Stages ? 0 : now + 1;
  }
  awaitCopies<0>();

  // A lane has two columns of rows g and g + 8; with its neighbour it makes four of one of them.
  const bool odd = t % 2 != 0;
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float* s = sums[i][j];
      const float x = __shfl_xor_sync(kAllLanes, odd ? s[0] : s[2], 1), y = __shfl_xor_sync(kAllLanes, odd ? s[1] : s[3], 1);
      const int row = oa0 + rowBase + i * 16 + g + (odd ? 8 : 0), column = ob0 + columnBase + j * 8 + (t / 2) * 4;
      finish(row, column, odd ? make_float4(x, y, s[2], s[3]) : make_float4(s[0], s[1], x, y));
    }
}

#endif

}  // namespace anneal::cuda
