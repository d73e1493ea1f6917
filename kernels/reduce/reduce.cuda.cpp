// How reduce is launched on CUDA.
#include "reduce.cuda.h"

#include <algorithm>
#include <bit>

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {
namespace {

constexpr uint32_t kBlock = 256;

// Items of a row up to which 8 lanes, or a warp, take it.
constexpr int64_t kEightLanes = 32;
constexpr int64_t kWarp = 2048;

// Columns go by tiles from so many vectors side by side, or so many rows, on; else a thread an output, wherever it is.
constexpr int64_t kWideTile = 32;
constexpr int64_t kLongTile = 64;

// Threads that keep a large GPU busy, and what a block should have to do at least. Both follow from no device, so that bits do not.
constexpr int64_t kEnoughThreads = 1 << 18;
constexpr int64_t kMostParts = 1024;

// Cuts `length` for each of `units` of work so that there are `enough`, none of which has less than `least`, by whole fours.
void cut(ReduceArgs& args, int64_t units, int64_t enough, int64_t least) {
  const int64_t wanted = std::clamp<int64_t>(enough / std::max<int64_t>(units, 1), 1, kMostParts);
  const int64_t parts = std::clamp<int64_t>(args.length / least, 1, wanted);
  args.partLength = (args.length + parts - 1) / parts;
  if (parts > 1) args.partLength = (args.partLength + 3) / 4 * 4;
  args.parts = args.length == 0 ? 1 : ceilDiv(args.length, args.partLength);
}

}  // namespace

void reduce(Call& call) {
  const auto& p = call.as<ReduceParams>();
  ReduceArgs args{};
  args.x = call.input<uint32_t>(0);
  args.out = call.output<uint32_t>(0);
  args.code = p.code;
  args.dtype = p.dtype;
  args.accumulate = p.accumulate;
  args.outputs = args.length = 1;

  // Runs of dimensions of one kind, from the last on.
  for (ReduceWalk* walk : {&args.kept, &args.reduced}) std::fill_n(walk->dims, kReduceRuns, 1);
  int64_t stride = 1;
  int runs[2] = {};  // kept, reduced
  bool lastReduced = false, innerReduced = false;
  for (uint32_t d = p.rank; d-- > 0;) {
    const bool reduced = (p.axes >> d & 1) != 0;
    ReduceWalk& walk = reduced ? args.reduced : args.kept;
    (reduced ? args.length : args.outputs) *= p.dims[d];
    if (p.dims[d] == 1) continue;
    const bool first = runs[0] + runs[1] == 0;
    if (first) innerReduced = reduced;
    if (first || reduced != lastReduced) walk.strides[kReduceRuns - ++runs[reduced]] = stride;
    walk.dims[kReduceRuns - runs[reduced]] *= p.dims[d];
    lastReduced = reduced;
    stride *= p.dims[d];
  }
  if (args.outputs == 0) return;

  const char* kernel;
  Dim grid;
  // Of no items, whatever the other dimensions are.
  const bool rows = args.length == 0 || (runs[0] <= 1 && (runs[1] == 0 || (runs[1] == 1 && innerReduced)));
  const bool columns = !rows && runs[1] == 1 && runs[0] <= 2;
  args.inner = columns ? args.reduced.strides[kReduceRuns - 1] : 1;
  args.fours = (rows ? args.length : args.inner) % 4 == 0 && alignedBy16(args.x);
  const int64_t vectors = args.inner / (args.fours != 0 ? 4 : 1);
  if (rows) {
    const int64_t lanes = args.length <= kEightLanes ? 8 : args.length <= kWarp ? 32 : 256;
    kernel = lanes == 8 ? "reduce/rows_8" : lanes == 32 ? "reduce/rows_32" : "reduce/rows_256";
    cut(args, args.outputs * lanes, lanes == 256 ? kEnoughThreads : 1, 4096);
    grid = {ceilDiv(args.outputs * args.parts * lanes, kBlock)};
  } else if (columns && (vectors >= kWideTile || args.length >= kLongTile)) {
    kernel = "reduce/columns";
    // At least so many side by side that a warp reads 512 bytes, or all there are; more where there are not enough rows.
    const auto least = std::min<uint64_t>(std::bit_ceil(static_cast<uint64_t>(vectors)), 32);
    const auto down = std::min<uint64_t>(std::bit_ceil(static_cast<uint64_t>((args.length + 3) / 4)), kBlock / least);
    args.across = static_cast<uint32_t>(kBlock / std::max<uint64_t>(down, 1));
    args.tiles = ceilDiv(vectors, args.across);
    const int64_t blocks = args.tiles * (args.outputs / args.inner);
    cut(args, blocks * kBlock, kEnoughThreads, 8 * static_cast<int64_t>(kBlock / args.across));
    grid = {static_cast<uint32_t>(blocks), args.parts};
  } else {
    const int64_t lanes = innerReduced ? 32 : 1;
    kernel = innerReduced ? "reduce/warp_anywhere" : "reduce/thread_anywhere";
    cut(args, args.outputs * lanes, kEnoughThreads, 16 * lanes);
    grid = {ceilDiv(args.outputs * args.parts * lanes, kBlock)};
  }
  if (args.parts > 1) args.partial = call.scratch<uint64_t>(args.outputs * args.parts);
  call.launch(kernel, grid, {kBlock}, args);
  if (args.parts > 1) call.launch("reduce/finish", {ceilDiv(args.outputs * 32, kBlock)}, {kBlock}, args);
}

}  // namespace anneal::cuda::ops
