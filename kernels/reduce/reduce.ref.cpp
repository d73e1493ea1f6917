// Reference of reduce: each output on its own, sums and products in double.
#include <cmath>
#include <limits>

#include "reduce.h"

namespace anneal {
namespace {

// Row-major offset of item `i` over the dimensions whose bit in `axes` is `reduced`.
int64_t offsetOf(const ReduceParams& p, int64_t i, bool reduced) {
  int64_t offset = 0, stride = 1;
  for (uint32_t d = p.rank; d-- > 0;) {
    if (((p.axes >> d & 1) != 0) == reduced) {
      offset += i % p.dims[d] * stride;
      i /= p.dims[d];
    }
    stride *= p.dims[d];
  }
  return offset;
}

int64_t itemCount(const ReduceParams& p, bool reduced) {
  for (uint32_t d = 0; d < p.rank; ++d)
    if (((p.axes >> d & 1) != 0) == reduced && p.dims[d] == 0) return 0;  // the other sizes may be anything
  int64_t n = 1;
  for (uint32_t d = 0; d < p.rank; ++d)
    if (((p.axes >> d & 1) != 0) == reduced) n *= p.dims[d];
  return n;
}

bool better(ReduceCode code, double x, double best) {
  if (best != best) return false;
  if (x != x) return true;
  return code == ReduceCode::max || code == ReduceCode::argmax ? x > best : x < best;
}

}  // namespace

void reduce_reference(const OpCall& call) {
  const auto& p = call.as<ReduceParams>();
  const auto code = static_cast<ReduceCode>(p.code);
  const int64_t outputs = itemCount(p, false);
  if (outputs == 0) return;
  const int64_t length = itemCount(p, true);
  for (int64_t k = 0; k < outputs; ++k) {
    const int64_t base = offsetOf(p, k, false);
    double value = code == ReduceCode::prod ? 1 : 0;
    uint32_t integer = code == ReduceCode::prod ? 1 : 0;  // sums and products of i32, modulo 2^32
    int64_t index = 0;
    for (int64_t r = 0; r < length; ++r) {
      const int64_t at = base + offsetOf(p, r, true);
      const double x = p.dtype == 0 ? call.input<float>(0)[at] : call.input<int32_t>(0)[at];
      const uint32_t u = p.dtype == 0 ? 0 : static_cast<uint32_t>(call.input<int32_t>(0)[at]);
      switch (code) {
        case ReduceCode::sum:
        case ReduceCode::mean:
          value += x;
          integer += u;
          break;
        case ReduceCode::sum_squares:
          value += x * x;
          integer += u * u;
          break;
        case ReduceCode::prod:
          value *= x;
          integer *= u;
          break;
        default:
          if (r > 0 && !better(code, x, value)) break;
          value = x;
          integer = u;
          index = r;
      }
    }
    if (code == ReduceCode::mean) value /= static_cast<double>(length);
    if (code == ReduceCode::argmax || code == ReduceCode::argmin)
      call.output<int32_t>(0)[k] = static_cast<int32_t>(index);
    else if (p.dtype == 0)
      call.output<float>(0)[k] = static_cast<float>(p.accumulate != 0 ? value + static_cast<double>(call.output<float>(0)[k]) : value);
    else
      call.output<int32_t>(0)[k] = static_cast<int32_t>(integer);
  }
}

}  // namespace anneal
