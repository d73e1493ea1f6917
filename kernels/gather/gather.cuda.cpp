// How gather and gather_backward are launched on CUDA.
#include "gather.cuda.h"

#include <algorithm>
#include <bit>

#include "../../native/backends/cuda/launch.h"

namespace anneal::cuda::ops {
namespace {

// Vectors that a thread copies of a row, one after the other, before rows are cut into parts.
constexpr int64_t kVectorsEach = 4;
// Warps of gather_backward below which each owns fewer rows, then fewer columns: enough for a large GPU.
constexpr int64_t kWantedWarps = 4096;
constexpr uint32_t kNaN = 0x7fc00000u;

bool onBoundary(const void* data, uintptr_t bytes) { return reinterpret_cast<uintptr_t>(data) % bytes == 0; }

}  // namespace

void gather(Call& call) {
  const auto& p = call.as<GatherParams>();
  const auto dtype = static_cast<DType>(p.dtype);
  GatherArgs args{};
  args.table = call.input<unsigned char>(0);
  args.indices = call.input<int32_t>(1);
  args.out = call.output<unsigned char>(0);
  args.rows = p.rows;
  args.rowBytes = int64_t{p.width} * (dtype == DType::u8 ? 1 : 4);
  args.count = p.count;
  args.missingWord = dtype == DType::f32 ? kNaN : 0;
  const auto goesBy = [&](int64_t bytes) {
    return args.rowBytes % bytes == 0 && onBoundary(args.table.data, static_cast<uintptr_t>(bytes)) &&
           onBoundary(args.out.data, static_cast<uintptr_t>(bytes));
  };
  const int64_t bytes = goesBy(16) ? 16 : goesBy(4) ? 4 : 1;
  const int64_t vectors = args.rowBytes / bytes;
  if (vectors == 0) return;
  args.rowThreads = static_cast<uint32_t>(std::bit_ceil(static_cast<uint64_t>(std::min<int64_t>(vectors, kGatherThreads))));
  const Dim grid{ceilDiv(args.count, kGatherThreads / args.rowThreads),
                 static_cast<uint32_t>(std::min<int64_t>(ceilDiv(vectors, kVectorsEach * args.rowThreads), 65535))};
  call.launch(bytes == 16 ? "gather/gather16" : bytes == 4 ? "gather/gather4" : "gather/gather1", grid, {kGatherThreads}, args);
}

void gather_backward(Call& call) {
  const auto& p = call.as<GatherBackwardParams>();
  GatherBackwardArgs args{};
  args.indices = call.input<int32_t>(0);
  args.dy = call.input<float>(1);
  args.dtable = call.output<float>(0);
  args.rows = p.rows;
  args.width = p.width;
  args.count = p.count;
  const bool fours = p.width % 4 == 0 && alignedBy16(args.dy) && alignedBy16(args.dtable) &&
                     args.rows * ceilDiv(p.width, 128) >= kWantedWarps / 4;
  args.columnParts = ceilDiv(p.width, fours ? 128 : 32);
  args.ownedRows = static_cast<uint32_t>(std::clamp<int64_t>(args.rows * args.columnParts / kWantedWarps, 1, kMostOwnedRows));
  const int64_t warps = int64_t{ceilDiv(args.rows, args.ownedRows)} * args.columnParts;
  call.launch(fours ? "gather/gather_backward4" : "gather/gather_backward1", {ceilDiv(warps, kSumThreads / 32)}, {kSumThreads}, args);
}

}  // namespace anneal::cuda::ops
