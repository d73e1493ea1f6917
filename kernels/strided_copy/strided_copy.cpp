// Contract of strided_copy.
#include "strided_copy.h"

#include "../../native/core/check.h"

namespace anneal {

void strided_copy_reference(const OpCall&);

namespace {

constexpr int64_t kFar = int64_t{1} << 56;  // six spans of it cannot overflow

// Raises unless every item of the view lies within [0, result); returns that end. Dimensions are not empty.
int64_t end(const char* name, const StridedCopyParams& p, const int32_t* strides, uint32_t offset) {
  int64_t low = offset, high = offset;
  for (uint32_t d = 0; d < p.rank; ++d) {
    const int64_t stride = strides[d];
    const int64_t span = check::product(name, static_cast<int64_t>(p.dims[d]) - 1, stride < 0 ? -stride : stride);
    check::condition(span < kFar, Code::shape, "expected the view of %s to span fewer than 2^56 items", name);
    (stride < 0 ? low : high) += stride < 0 ? -span : span;
  }
  check::condition(low >= 0, Code::range, "expected the view of %s to start at item 0 or later, received %lld", name,
                   static_cast<long long>(low));
  return high + 1;
}

// Tasks write in parallel, so no item may be visited twice.
void checkInjective(const StridedCopyParams& p) {
  uint64_t sizes[kCopyRank], strides[kCopyRank];
  uint32_t rank = 0;
  for (uint32_t d = 0; d < p.rank; ++d) {
    if (p.dims[d] == 1) continue;
    const int64_t wide = p.outStrides[d];
    const auto stride = static_cast<uint64_t>(wide < 0 ? -wide : wide);
    uint32_t at = rank++;
    for (; at > 0 && strides[at - 1] > stride; --at) {
      strides[at] = strides[at - 1];
      sizes[at] = sizes[at - 1];
    }
    strides[at] = stride;
    sizes[at] = p.dims[d];
  }
  uint64_t extent = 1;
  for (uint32_t d = 0; d < rank; ++d) {
    check::condition(strides[d] >= extent, Code::argument,
                     "expected strides of out that visit no item twice, received a stride of %llu over %llu items",
                     static_cast<unsigned long long>(strides[d]), static_cast<unsigned long long>(extent));
    extent += strides[d] * (sizes[d] - 1);
  }
}

void checkStridedCopy(const OpCall& call) {
  const auto& p = call.as<StridedCopyParams>();
  const auto dtype = static_cast<DType>(p.dtype);
  const size_t itemBytes = check::itemBytes(dtype);
  check::range("rank", p.rank, 0, kCopyRank);
  check::range("accumulate", p.accumulate, 0, 1);
  check::condition(p.accumulate == 0 || itemBytes == 4, Code::dtype, "expected a dtype of f32 or i32 to accumulate");
  bool empty = false;
  for (uint32_t d = 0; d < p.rank; ++d) empty = empty || p.dims[d] == 0;
  check::input(call, 0, "in", empty ? 0 : end("in", p, p.inStrides, p.inOffset), dtype);
  check::output(call, 0, "out", empty ? 0 : end("out", p, p.outStrides, p.outOffset), dtype);
  if (empty) return;
  checkInjective(p);
  check::distinct(call, 0, 0);
}

const Field kFields[] = {
    ANNEAL_FIELD(StridedCopyParams, dtype, u32, 1),
    ANNEAL_FIELD(StridedCopyParams, rank, u32, 1),
    ANNEAL_FIELD(StridedCopyParams, dims, u32, kCopyRank),
    ANNEAL_FIELD(StridedCopyParams, inStrides, i32, kCopyRank),
    ANNEAL_FIELD(StridedCopyParams, outStrides, i32, kCopyRank),
    ANNEAL_FIELD(StridedCopyParams, inOffset, u32, 1),
    ANNEAL_FIELD(StridedCopyParams, outOffset, u32, 1),
    ANNEAL_FIELD(StridedCopyParams, accumulate, u32, 1),
};

}  // namespace

OpDef strided_copy_op() {
  return {"strided_copy", sizeof(StridedCopyParams), kFields, 8, 1, 1, 1, 1, checkStridedCopy, strided_copy_reference};
}

}  // namespace anneal
