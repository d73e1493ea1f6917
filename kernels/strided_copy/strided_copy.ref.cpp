// Reference of strided_copy: one item at a time.
#include "strided_copy.h"

namespace anneal {
namespace {

int64_t offsetOf(const StridedCopyParams& p, const int32_t* strides, uint32_t offset, int64_t i) {
  int64_t at = offset;
  for (uint32_t d = p.rank; d-- > 0;) {
    at += i % p.dims[d] * strides[d];
    i /= p.dims[d];
  }
  return at;
}

}  // namespace

void strided_copy_reference(const OpCall& call) {
  const auto& p = call.as<StridedCopyParams>();
  for (uint32_t d = 0; d < p.rank; ++d)
    if (p.dims[d] == 0) return;  // the other sizes may be anything
  int64_t count = 1;
  for (uint32_t d = 0; d < p.rank; ++d) count *= p.dims[d];
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = offsetOf(p, p.inStrides, p.inOffset, i);
    const int64_t to = offsetOf(p, p.outStrides, p.outOffset, i);
    switch (static_cast<DType>(p.dtype)) {
      case DType::f32: {
        float& out = call.output<float>(0)[to];
        const float x = call.input<float>(0)[from];
        out = p.accumulate != 0 ? static_cast<float>(static_cast<double>(out) + x) : x;
        break;
      }
      case DType::i32: {
        int32_t& out = call.output<int32_t>(0)[to];
        const int32_t x = call.input<int32_t>(0)[from];
        out = p.accumulate != 0 ? static_cast<int32_t>(static_cast<uint32_t>(out) + static_cast<uint32_t>(x)) : x;
        break;
      }
      case DType::u8: call.output<uint8_t>(0)[to] = call.input<uint8_t>(0)[from]; break;
    }
  }
}

}  // namespace anneal
