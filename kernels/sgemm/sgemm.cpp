// Contract of sgemm.
#include "sgemm.h"

#include <cstddef>

#include "../../native/core/check.h"
#include "../common/activation.h"

namespace anneal {

void sgemm_reference(const OpCall& call);

namespace {

using Params = SgemmParams;
constexpr int64_t kLargest = 0x7fffffff;

const Field kFields[] = {
    ANNEAL_FIELD(Params, batch, u32, 1),      ANNEAL_FIELD(Params, m, u32, 1),
    ANNEAL_FIELD(Params, n, u32, 1),          ANNEAL_FIELD(Params, k, u32, 1),
    ANNEAL_FIELD(Params, transA, u32, 1),     ANNEAL_FIELD(Params, transB, u32, 1),
    ANNEAL_FIELD(Params, strideA, u32, 1),    ANNEAL_FIELD(Params, strideB, u32, 1),
    ANNEAL_FIELD(Params, accumulate, u32, 1), ANNEAL_FIELD(Params, activation, u32, 1),
};

// Elements from the first to the last that `batch` matrices of `size` elements touch.
int64_t extent(const char* name, int64_t batch, int64_t stride, int64_t size) {
  if (batch == 0 || size == 0) return 0;
  const int64_t last = check::product(name, batch - 1, stride);
  check::condition(last <= (int64_t{1} << 62) - size, Code::shape, "expected %s to have fewer than 2^62 elements", name);
  return last + size;
}

void checkSgemm(const OpCall& call) {
  const auto& p = call.as<Params>();
  check::range("batch", p.batch, 0, kLargest);
  check::range("m", p.m, 0, kLargest);
  check::range("n", p.n, 0, kLargest);
  check::range("k", p.k, 0, kLargest);
  check::range("transA", p.transA, 0, 1);
  check::range("transB", p.transB, 0, 1);
  check::range("accumulate", p.accumulate, 0, 1);
  check::range("activation", p.activation, 0, kLastActivation);
  const int64_t c = check::product("c", p.batch, p.m, p.n);
  const bool empty = c == 0;
  check::input(call, 0, "a", empty ? 0 : extent("a", p.batch, p.strideA, check::product("a", p.m, p.k)));
  check::input(call, 1, "b", empty ? 0 : extent("b", p.batch, p.strideB, check::product("b", p.k, p.n)));
  check::optionalInput(call, 2, "bias", p.n);
  check::output(call, 0, "c", c);
  for (uint32_t in = 0; in < 3; ++in) check::distinct(call, 0, in);
}

}  // namespace

OpDef sgemm_op() {
  return {"sgemm", sizeof(Params), kFields, sizeof kFields / sizeof kFields[0], 2, 3, 1, 1, checkSgemm, sgemm_reference};
}

}  // namespace anneal
