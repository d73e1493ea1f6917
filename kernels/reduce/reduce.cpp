// Contract of reduce.
#include "reduce.h"

#include "../../native/core/check.h"

namespace anneal {

void reduce_reference(const OpCall&);

namespace {

void checkReduce(const OpCall& call) {
  const auto& p = call.as<ReduceParams>();
  check::range("code", p.code, 0, static_cast<int64_t>(ReduceCode::count) - 1);
  const auto code = static_cast<ReduceCode>(p.code);
  check::condition(p.dtype <= 1, Code::dtype, "expected a dtype of f32 or i32, received %u", p.dtype);
  check::condition(p.dtype == 0 || code != ReduceCode::mean, Code::dtype, "expected dtype f32 for mean, received i32");
  check::range("accumulate", p.accumulate, 0, 1);
  check::condition(p.accumulate == 0 || (code == ReduceCode::sum && p.dtype == 0), Code::argument,
                   "expected accumulate with f32 sums only, received code %u, dtype %u", p.code, p.dtype);
  check::range("rank", p.rank, 0, kReduceRank);
  check::range("axes", p.axes, 0, (int64_t{1} << p.rank) - 1);
  int64_t kept[kReduceRank], reduced[kReduceRank];
  int nKept = 0, nReduced = 0;
  for (uint32_t d = 0; d < p.rank; ++d) {
    if ((p.axes >> d & 1) != 0)
      reduced[nReduced++] = p.dims[d];
    else
      kept[nKept++] = p.dims[d];
  }
  const int64_t outputs = check::product("the kept dimensions", kept, nKept);
  const int64_t length = check::product("the reduced dimensions", reduced, nReduced);
  const bool needsItem = code == ReduceCode::max || code == ReduceCode::min || code == ReduceCode::argmax ||
                         code == ReduceCode::argmin;
  check::condition(!needsItem || length > 0 || outputs == 0, Code::shape,
                   "expected at least one element to take the maximum or minimum of, received none");
  const bool index = code == ReduceCode::argmax || code == ReduceCode::argmin;
  check::condition(!index || length <= INT32_MAX, Code::range, "expected at most 2^31 - 1 candidates, received %lld",
                   static_cast<long long>(length));
  const auto dtype = static_cast<DType>(p.dtype);
  check::input(call, 0, "x", check::product("x", outputs, length), dtype);
  check::output(call, 0, "out", outputs, index ? DType::i32 : dtype);
  check::distinct(call, 0, 0);
}

const Field kFields[] = {
    ANNEAL_FIELD(ReduceParams, code, u32, 1),
    ANNEAL_FIELD(ReduceParams, dtype, u32, 1),
    ANNEAL_FIELD(ReduceParams, rank, u32, 1),
    ANNEAL_FIELD(ReduceParams, dims, u32, kReduceRank),
    ANNEAL_FIELD(ReduceParams, axes, u32, 1),
    ANNEAL_FIELD(ReduceParams, accumulate, u32, 1),
};

}  // namespace

OpDef reduce_op() {
  return {"reduce", sizeof(ReduceParams), kFields, 6, 1, 1, 1, 1, checkReduce, reduce_reference};
}

}  // namespace anneal
