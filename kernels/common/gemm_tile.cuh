// The tiled product behind sgemm and the convolutions on CUDA cores (no matrix units).
//
//   D[o_a][o_b] = sum over k of A(o_a, k) B(o_b, k)
//
// Where A and B lie is an operand's own business: a place class says where four (or one) neighbouring elements are, or that they
// count as zeros. So a matrix of any transposition, and the windows of an image, are the same tile.
//
// Blocking   A block makes a tile of BM x BN, BK deep at a time, in two buffers of shared memory: while one is multiplied the other is
//            filled. A thread has TM x TN of it in registers, in quarters of four rows and columns that lie apart, so that a warp's
//            16-byte reads of shared memory touch each bank once: 4 distinct vectors of A and 8 of B for 32 lanes. Of a k it reads
//            TM / 4 + TN / 4 vectors for TM TN FMAs: 16 FMAs a vector with 8 x 8, 21 with 8 x 16, so FMAs bind.
// Filling    An operand whose neighbours lie along o goes to shared memory as it is, by asynchronous copies (sm_80) or registers; one
//            whose neighbours lie along k is turned on the way: 16 bytes into registers before the multiplication, four words
//            into shared memory after it. Rows of shared memory are 4 words longer than the tile, so that turning has no
//            conflicts either.
// Order      Each element is one chain of FMAs over k, upwards: the same bits whatever the tile.
#pragma once

#include "cuda.cuh"

#if defined(ANNEAL_CUDA_EMULATION)
#define ANNEAL_ASYNC_COPIES (ANNEAL_CUDA_EMULATION >= 80)
#else
#define ANNEAL_ASYNC_COPIES (__CUDA_ARCH__ >= 800)
#endif

namespace anneal::cuda {

// Blocks of 256 threads that share a multiprocessor where a thread holds 64 sums: before asynchronous copies a thread also holds what is on
// its way, and windows of an image leave no room for that in 128 registers.
#if ANNEAL_ASYNC_COPIES
constexpr int kWindowBlocks = 2;
#else
constexpr int kWindowBlocks = 1;
#endif

// `Pairs`: steps of two k that are unrolled; all of them, but where that is more than a thousand FMAs, on which ptxas takes seconds.
template <int Bm, int Bn, int Bk, int Tm, int Tn, int Pairs> struct TileShape {
  static constexpr int BM = Bm, BN = Bn, BK = Bk, TM = Tm, TN = Tn, pairs = Pairs;
  static constexpr int threads = (BM / TM) * (BN / TN);
  static_assert(TM % 4 == 0 && TN % 4 == 0, "a thread's part is made of 4 x 4 blocks");
  static_assert(BM / TM == 16 && BN / TN == 16, "256 threads, as 4 x 2 warps of 4 x 8 lanes");
};

using LargeTile = TileShape<128, 256, 8, 8, 16, 4>;
using MediumTile = TileShape<128, 128, 8, 8, 8, 4>;
using SmallTile = TileShape<64, 64, 16, 4, 4, 8>;

// One operand's way into shared memory. `Along`: neighbours lie along o; else along k. `W`: neighbours taken at once, 4 or 1.
// `Place` has `Span<const float> data`, `Line line(int o) const`, what is known of an o once for all k, and
// `bool at(const Line&, int k, int64_t& index) const`: whether the W elements from (o, k) on are in the operand (all are, or none),
// and where.
template <int BO, int BK, bool Along, int W, class Place> class TileLoader {
 public:
  static constexpr int pitch = BO + 4;
  using Buffer = Array<float, BK * pitch>;

  // For blocks at o0.
  ANNEAL_GPU TileLoader(const Place& place, int o0) {
#pragma unroll
    for (int i = 0; i < count; ++i) {
      int o, k;
      slot(i, o, k);
      lines_[i] = place.line(o0 + o);
    }
  }

  // Begins to bring the block at k0; k from kEnd on counts as zero.
  ANNEAL_GPU void fetch(const Place& place, int k0, int kEnd, [[maybe_unused]] Buffer& buffer) {
#pragma unroll
    for (int i = 0; i < count; ++i) {
      int o, k;
      slot(i, o, k);
      int64_t index = 0;
      const bool there = k0 + k < kEnd && place.at(lines_[i], k0 + k, index);
#if ANNEAL_ASYNC_COPIES
      if constexpr (Along) {
        if constexpr (W == 4) copyAsync16(&buffer[k * pitch + o], place.data, index, there);
        else copyAsync4(&buffer[k * pitch + o], place.data, index, there);
        continue;
      }
#endif
      if constexpr (W == 4) {
        const float4 v = there ? place.data.template as<float4>(index) : make_float4(0, 0, 0, 0);
        held_[i * W] = v.x, held_[i * W + 1] = v.y, held_[i * W + 2] = v.z, held_[i * W + 3] = v.w;
      } else {
        held_[i] = there ? place.data[index] : 0.0f;
      }
    }
  }

  // Ends it, for what goes by way of registers.
  ANNEAL_GPU void store(Buffer& buffer) {
    if constexpr (!Along || ANNEAL_ASYNC_COPIES == 0) {
#pragma unroll
      for (int i = 0; i < count; ++i) {
        int o, k;
        slot(i, o, k);
        if constexpr (Along && W == 4) {
          buffer.template as<float4>(k * pitch + o) =
              make_float4(held_[i * W], held_[i * W + 1], held_[i * W + 2], held_[i * W + 3]);
        } else {
#pragma unroll
          for (int j = 0; j < W; ++j) buffer[Along ? k * pitch + o + j : (k + j) * pitch + o] = held_[i * W + j];
        }
      }
    }
  }

 private:
  static constexpr int threads = 256;
  static constexpr int count = BO * BK / W / threads;
  static_assert(count * W * threads == BO * BK, "every thread brings as much");

  // The i-th piece of this thread, neighbours beside each other in neighbouring threads.
  ANNEAL_GPU static void slot(int i, int& o, int& k) {
    const int piece = i * threads + static_cast<int>(threadIdx.x);
    if constexpr (Along) {
      k = piece / (BO / W);
      o = piece % (BO / W) * W;
    } else {
      o = piece / (BK / W);
      k = piece % (BK / W) * W;
    }
  }

  typename Place::Line lines_[count];
  float held_[count * W];
};

ANNEAL_GPU void commitAll() {
#if ANNEAL_ASYNC_COPIES
  commitCopies();
#endif
}
ANNEAL_GPU void awaitAll() {
#if ANNEAL_ASYNC_COPIES
  awaitCopies<0>();
#endif
}

template <class Tile, class LoadA, class LoadB> struct TileBuffers {
  typename LoadA::Buffer a[2];
  typename LoadB::Buffer b[2];
};

// This block's tile at (oa0, ob0), k from kBegin to kEnd. `finish(row, column, float4)` takes four elements of neighbouring columns.
template <class Tile, bool AlongA, bool AlongB, int WA, int WB, class PlaceA, class PlaceB, class Finish>
ANNEAL_GPU void multiplyTile(const PlaceA& placeA, const PlaceB& placeB, int oa0, int ob0, int kBegin, int kEnd,
                             const Finish& finish) {
  constexpr int BK = Tile::BK, TM = Tile::TM, TN = Tile::TN;
  using LoadA = TileLoader<Tile::BM, BK, AlongA, WA, PlaceA>;
  using LoadB = TileLoader<Tile::BN, BK, AlongB, WB, PlaceB>;
  using Buffers = TileBuffers<Tile, LoadA, LoadB>;
  ANNEAL_SHARED(Buffers, buffers);
  LoadA loadA(placeA, oa0);
  LoadB loadB(placeB, ob0);

  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int ty = warp / 2 * 4 + lane / 8, tx = warp % 2 * 8 + lane % 8;
  constexpr int rowStep = Tile::BM / (TM / 4), columnStep = Tile::BN / (TN / 4);

  float sums[TM][TN];
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN; ++j) sums[i][j] = 0;

  if (kBegin < kEnd) {
    loadA.fetch(placeA, kBegin, kEnd, buffers.a[0]);
    loadB.fetch(placeB, kBegin, kEnd, buffers.b[0]);
    commitAll();
    loadA.store(buffers.a[0]);
    loadB.store(buffers.b[0]);
    awaitAll();
    __syncthreads();
  }
  int now = 0;
  for (int k0 = kBegin; k0 < kEnd; k0 += BK, now ^= 1) {
    const bool more = k0 + BK < kEnd;
    if (more) {
      loadA.fetch(placeA, k0 + BK, kEnd, buffers.a[now ^ 1]);
      loadB.fetch(placeB, k0 + BK, kEnd, buffers.b[now ^ 1]);
      commitAll();
    }
    typename LoadA::Buffer& bufferA = buffers.a[now];
    typename LoadB::Buffer& bufferB = buffers.b[now];
    // The next k's vectors are on their way while this one's are multiplied.
    float a[2][TM], b[2][TN];
    const auto read = [&](int k, int half) {
#pragma unroll
      for (int i = 0; i < TM / 4; ++i) {
        const float4 v = bufferA.template as<float4>(k * LoadA::pitch + i * rowStep + ty * 4);
        a[half][4 * i] = v.x, a[half][4 * i + 1] = v.y, a[half][4 * i + 2] = v.z, a[half][4 * i + 3] = v.w;
      }
#pragma unroll
      for (int j = 0; j < TN / 4; ++j) {
        const float4 v = bufferB.template as<float4>(k * LoadB::pitch + j * columnStep + tx * 4);
        b[half][4 * j] = v.x, b[half][4 * j + 1] = v.y, b[half][4 * j + 2] = v.z, b[half][4 * j + 3] = v.w;
      }
    };
    const auto multiply = [&](int half) {
#pragma unroll
      for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) sums[i][j] = fmaf(a[half][i], b[half][j], sums[i][j]);
    };
    read(0, 0);
#pragma unroll(Tile::pairs)
    for (int k = 0; k < BK; k += 2) {
      read(k + 1, 1);
      multiply(0);
      if (k + 2 < BK) read(k + 2, 0);
      multiply(1);
    }
    if (more) {
      loadA.store(buffers.a[now ^ 1]);
      loadB.store(buffers.b[now ^ 1]);
      awaitAll();
      __syncthreads();
    }
  }
#pragma unroll
  for (int i = 0; i < TM; ++i)
#pragma unroll
    for (int j = 0; j < TN / 4; ++j)
      finish(oa0 + i / 4 * rowStep + ty * 4 + i % 4, ob0 + j * columnStep + tx * 4,
             make_float4(sums[i][4 * j], sums[i][4 * j + 1], sums[i][4 * j + 2], sums[i][4 * j + 3]));
}

// What becomes of a product's elements: stored, with what is added and relu; or, of a part of the sum, stored as they are. A thread does this
// for up to 32 vectors, written out: so it is short, and other activations are a launch of their own.
struct ProductEnd {
  Span<float> d;
  Span<const float> bias;  // absent: none
  uint32_t accumulate;
  float least;             // 0 for relu, else -Infinity; NaN stays
  uint32_t fours;          // rows of d begin on multiples of 16 bytes

  // Columns from `column` on of a row that begins at `row`, as far as there are.
  ANNEAL_GPU void operator()(int64_t row, int column, int columns, float4 v) const {
    const int64_t at = row + column;
    if (fours != 0) {  // then there are four of them or none
      if (accumulate != 0) v = sum(d.as<float4>(at), v);
      if (bias.present()) v = sum(v, make_float4(bias[column], bias[column + 1], bias[column + 2], bias[column + 3]));
      d.as<float4>(at) = make_float4(bounded(v.x), bounded(v.y), bounded(v.z), bounded(v.w));
      return;
    }
    one(at, column, columns, v.x);
    one(at + 1, column + 1, columns, v.y);
    one(at + 2, column + 2, columns, v.z);
    one(at + 3, column + 3, columns, v.w);
  }

 private:
  ANNEAL_GPU static float4 sum(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
  ANNEAL_GPU float bounded(float x) const { return x < least ? least : x; }
  ANNEAL_GPU void one(int64_t at, int column, int columns, float x) const {
    if (column >= columns) return;
    if (accumulate != 0) x = d[at] + x;
    if (bias.present()) x += bias[column];
    d[at] = bounded(x);
  }
};

}  // namespace anneal::cuda
