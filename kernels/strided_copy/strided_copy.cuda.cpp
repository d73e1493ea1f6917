// How strided_copy is launched on CUDA.
#include "strided_copy.cuda.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {
namespace {

constexpr uint32_t kBlock = 256;
constexpr int64_t kEach = 4;
constexpr int64_t kTile = 32;
constexpr int64_t kLeastTile = 8;  // of a side; below, threads would wait for each other over too little

Divisor divisorOf(uint32_t by) {
  const auto shift = static_cast<uint32_t>(std::bit_width(by - 1));
  return {by, static_cast<uint32_t>((uint64_t{1} << 32) * ((uint64_t{1} << shift) - by) / by + 1), shift};
}

struct Side {
  int64_t dim, in, out;
};

// Both views: out's strides positive and falling, dimensions of 1 dropped and those merged that lie one after the other.
struct Views {
  Side sides[kCopyRank];
  int rank = 0;
  int64_t in, out, count = 1;

  explicit Views(const StridedCopyParams& p) : in(p.inOffset), out(p.outOffset) {
    for (uint32_t d = 0; d < p.rank; ++d) {
      count *= p.dims[d];
      if (p.dims[d] == 1) continue;
      Side side{p.dims[d], p.inStrides[d], p.outStrides[d]};
      if (side.out < 0) {
        in += (side.dim - 1) * side.in;
        out += (side.dim - 1) * side.out;
        side.in = -side.in;
        side.out = -side.out;
      }
      sides[rank++] = side;
    }
    std::stable_sort(sides, sides + rank, [](const Side& a, const Side& b) { return a.out > b.out; });
    int merged = 0;
    for (int d = 0; d < rank; ++d) {
      Side& before = sides[std::max(merged - 1, 0)];
      const Side side = sides[d];
      if (merged > 0 && before.in == side.in * side.dim && before.out == side.out * side.dim) before = {before.dim * side.dim, side.in, side.out};
      else sides[merged++] = side;
    }
    rank = merged;
  }

  // Whether all is made of runs of `items` items that start on boundaries of that, given operands that do.
  bool inRunsOf(int64_t items) const {
    if (items == 1) return true;
    if (rank == 0 || in % items != 0 || out % items != 0) return false;
    const Side& last = sides[rank - 1];
    if (last.in != 1 || last.out != 1 || last.dim % items != 0) return false;
    return std::all_of(sides, sides + rank - 1, [&](const Side& side) { return side.in % items == 0 && side.out % items == 0; });
  }

  // The dimension along which the input is dense, where the output is dense along the last and another: a transpose; or -1.
  int transposed() const {
    if (rank < 2) return -1;
    const Side& last = sides[rank - 1];
    if (last.out != 1 || std::abs(last.in) == 1 || last.dim < kLeastTile) return -1;
    for (int d = 0; d < rank - 1; ++d)
      if (sides[d].in == 1 && sides[d].dim >= kLeastTile) return d;
    return -1;
  }
};

void launchCopy(const Call& call, CopyArgs args, Views views, int64_t itemBytes) {
  const int64_t limit = int64_t{1} << 31;
  if (views.count / (args.unit / itemBytes) >= limit) {
    // By halves of the first dimension that has any.
    if (views.sides[0].dim == 1) std::copy(views.sides + 1, views.sides + views.rank--, views.sides);
    Side& first = views.sides[0];
    Views rest = views;
    const int64_t half = first.dim / 2;
    views.count = views.count / first.dim * half;
    rest.count -= views.count;
    rest.in += half * first.in;
    rest.out += half * first.out;
    rest.sides[0].dim -= half;
    first.dim = half;
    launchCopy(call, args, views, itemBytes);
    launchCopy(call, args, rest, itemBytes);
    return;
  }
  args.count = static_cast<uint32_t>(views.count);
  args.rank = static_cast<uint32_t>(views.rank);
  args.inOffset = views.in * itemBytes;
  args.outOffset = views.out * itemBytes;
  for (int d = 0; d < views.rank; ++d) {
    args.dims[d] = divisorOf(static_cast<uint32_t>(views.sides[d].dim));
    args.inStrides[d] = views.sides[d].in * itemBytes;
    args.outStrides[d] = views.sides[d].out * itemBytes;
  }
  if (const int fast = views.transposed(); fast >= 0) {
    const Side &row = views.sides[fast], &col = views.sides[views.rank - 1];
    args.fast = static_cast<uint32_t>(fast);
    args.rows = static_cast<uint32_t>(row.dim);
    args.cols = static_cast<uint32_t>(col.dim);
    args.tileRows = divisorOf(ceilDiv(row.dim, kTile));
    args.tileCols = divisorOf(ceilDiv(col.dim, kTile));
    args.dims[fast] = args.dims[views.rank - 1] = divisorOf(1);
    const int64_t tiles = views.count / row.dim / col.dim * args.tileRows.by * args.tileCols.by;
    call.launch("strided_copy/copy_tiles", {static_cast<uint32_t>(tiles)}, {kBlock}, args);
    return;
  }
  if (const auto run = static_cast<uint32_t>(args.unit / itemBytes); run > 1) {
    Divisor& last = args.dims[views.rank - 1];
    last = divisorOf(last.by / run);
    args.inStrides[views.rank - 1] = args.outStrides[views.rank - 1] = args.unit;
    args.count /= run;
  }
  call.launch("strided_copy/copy_units", {ceilDiv(args.count, kBlock * kEach)}, {kBlock}, args);
}

}  // namespace

void strided_copy(Call& call) {
  const auto& p = call.as<StridedCopyParams>();
  for (uint32_t d = 0; d < p.rank; ++d)
    if (p.dims[d] == 0) return;  // the other sizes may be anything
  CopyArgs args{};
  args.x = call.input<unsigned char>(0);
  args.out = call.output<unsigned char>(0);
  const auto dtype = static_cast<DType>(p.dtype);
  args.addsAs = p.accumulate == 0 ? 0 : dtype == DType::f32 ? 1 : 2;
  const int64_t itemBytes = dtype == DType::u8 ? 1 : 4;
  const Views views(p);
  const auto aligned = [&](int64_t bytes) {
    return reinterpret_cast<uintptr_t>(args.x.data) % bytes == 0 && reinterpret_cast<uintptr_t>(args.out.data) % bytes == 0 &&
           views.inRunsOf(bytes / itemBytes);
  };
  args.unit = aligned(16) ? 16 : itemBytes == 4 || aligned(4) ? 4 : 1;
  launchCopy(call, args, views, itemBytes);
}

}  // namespace anneal::cuda::ops
