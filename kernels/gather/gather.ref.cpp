// Reference of gather and gather_backward.
#include <cstring>

#include "gather.h"

namespace anneal {
namespace {

int64_t checkedIndex(const int32_t* indices, int64_t i, uint32_t rows) {
  const int32_t index = indices[i];
  if (index < 0 || static_cast<uint32_t>(index) >= rows)
    raise(Code::range, "expected indices in [0, %u), received %d at position %lld", rows, index,
          static_cast<long long>(i));
  return index;
}

}  // namespace

void gather_reference(const OpCall& call) {
  const auto& p = call.as<GatherParams>();
  const int64_t rowBytes = int64_t{p.width} * (p.dtype == static_cast<uint32_t>(DType::u8) ? 1 : 4);
  for (int64_t i = 0; i < p.count; ++i) {
    const int64_t row = checkedIndex(call.input<int32_t>(1), i, p.rows);
    for (int64_t b = 0; b < rowBytes; ++b)
      call.output<uint8_t>(0)[i * rowBytes + b] = call.input<uint8_t>(0)[row * rowBytes + b];
  }
}

void gather_backward_reference(const OpCall& call) {
  const auto& p = call.as<GatherBackwardParams>();
  const int64_t width = p.width;
  float* dtable = call.output<float>(0);
  for (int64_t i = 0; i < p.count; ++i) checkedIndex(call.input<int32_t>(0), i, p.rows);
  if (width == 0) return;
  for (int64_t r = 0; r < p.rows; ++r) {
    for (int64_t c = 0; c < width; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < p.count; ++i)
        if (call.input<int32_t>(0)[i] == r) sum += call.input<float>(1)[i * width + c];
      dtable[r * width + c] = static_cast<float>(sum);
    }
  }
}

}  // namespace anneal
