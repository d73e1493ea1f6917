// strided_copy on CUDA (contract: strided_copy.h): 2 x 4 bytes an item (u8: 2 x 1), memory binds.
//
// copy_units  Neighbouring threads take neighbouring units in the order of the output, four each: of 16 bytes where both views have their last
//             dimension dense and everything on boundaries of that, else items (u8: of 4 bytes where that goes). Places are found by products
//             instead of divisions.
// copy_tiles  Transposes: a block moves a tile of 32 x 32 items through shared memory, reading along dimension `fast`, where the input is dense, and
//             writing along the last, so that both sides move whole lines. Rows of 33 items fall into different banks.
#include "strided_copy.cuda.h"
#include "../common/cuda.cuh"

namespace anneal::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kEach = 4;
constexpr int kTile = 32;

ANNEAL_GPU uint32_t quotient(uint32_t n, const Divisor& d) { return (__umulhi(n, d.factor) + n) >> d.shift; }

ANNEAL_GPU uint32_t addWord(uint32_t old, uint32_t x, uint32_t addsAs) {
  return addsAs == 1 ? __float_as_uint(__uint_as_float(old) + __uint_as_float(x)) : old + x;
}

template <class Unit> ANNEAL_GPU void put(const CopyArgs& args, int64_t at, const Unit& x) { args.out.as<Unit>(at) = x; }
template <> ANNEAL_GPU void put<uint32_t>(const CopyArgs& args, int64_t at, const uint32_t& x) {
  uint32_t& out = args.out.as<uint32_t>(at);
  out = args.addsAs != 0 ? addWord(out, x, args.addsAs) : x;
}
template <> ANNEAL_GPU void put<uint4>(const CopyArgs& args, int64_t at, const uint4& x) {
  uint4& out = args.out.as<uint4>(at);
  const uint32_t as = args.addsAs;
  if (as == 0) {
    out = x;
    return;
  }
  const uint4 old = out;
  out = make_uint4(addWord(old.x, x.x, as), addWord(old.y, x.y, as), addWord(old.z, x.z, as), addWord(old.w, x.w, as));
}

// Where unit i of the output's order lies in both views.
struct Place {
  int64_t in, out;

  ANNEAL_GPU Place(const CopyArgs& args, uint32_t i) : in(args.inOffset), out(args.outOffset) {
#pragma unroll
    for (int d = static_cast<int>(kCopyRank) - 1; d >= 0; --d) {
      if (d >= static_cast<int>(args.rank)) continue;
      const uint32_t rest = quotient(i, args.dims[d]), along = i - rest * args.dims[d].by;
      in += along * args.inStrides[d];
      out += along * args.outStrides[d];
      i = rest;
    }
  }
};

template <class Unit> ANNEAL_GPU void copyUnits(const CopyArgs& args) {
  const uint32_t first = blockIdx.x * (kThreads * kEach) + threadIdx.x;
  if (first + (kEach - 1) * kThreads < args.count) {
    Unit x[kEach];
    int64_t at[kEach];
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      const Place place(args, first + k * kThreads);
      x[k] = args.x.as<Unit>(place.in);
      at[k] = place.out;
    }
#pragma unroll
    for (int k = 0; k < kEach; ++k) put(args, at[k], x[k]);
    return;
  }
  for (uint32_t i = first; i < args.count; i += kThreads) {
    const Place place(args, i);
    put(args, place.out, args.x.as<Unit>(place.in));
  }
}

template <class Unit> ANNEAL_GPU void copyTile(const CopyArgs& args) {
  using Tile = Array<Unit, kTile*(kTile + 1)>;
  ANNEAL_SHARED(Tile, tile);
  uint32_t rest = quotient(blockIdx.x, args.tileCols);
  const uint32_t j0 = (blockIdx.x - rest * args.tileCols.by) * kTile;
  const uint32_t outer = quotient(rest, args.tileRows), i0 = (rest - outer * args.tileRows.by) * kTile;
  const Place place(args, outer);
  const int last = static_cast<int>(args.rank) - 1, fast = static_cast<int>(args.fast);
  const int64_t inRow = args.inStrides[fast], inCol = args.inStrides[last], outRow = args.outStrides[fast], outCol = args.outStrides[last];
  const int a = static_cast<int>(threadIdx.x) % kTile, b = static_cast<int>(threadIdx.x) / kTile;
#pragma unroll
  for (int r = b; r < kTile; r += kThreads / kTile)
    if (i0 + a < args.rows && j0 + r < args.cols)
      tile[r * (kTile + 1) + a] = args.x.as<Unit>(place.in + (i0 + a) * inRow + (j0 + r) * inCol);
  __syncthreads();
#pragma unroll
  for (int r = b; r < kTile; r += kThreads / kTile)
    if (i0 + r < args.rows && j0 + a < args.cols)
      put<Unit>(args, place.out + (i0 + r) * outRow + (j0 + a) * outCol, tile[a * (kTile + 1) + r]);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) copy_units(const CopyArgs args) {
  if (args.unit == 16) copyUnits<uint4>(args);
  else if (args.unit == 4) copyUnits<uint32_t>(args);
  else copyUnits<unsigned char>(args);
}

extern "C" __global__ void __launch_bounds__(256) copy_tiles(const CopyArgs args) {
  if (args.unit == 4) copyTile<uint32_t>(args);
  else copyTile<unsigned char>(args);
}

}  // namespace anneal::cuda
