// Contracts of gather and gather_backward.
#include "gather.h"

#include "../../native/core/check.h"

namespace anneal {

void gather_reference(const OpCall&);
void gather_backward_reference(const OpCall&);

namespace {

void checkGather(const OpCall& call) {
  const auto& p = call.as<GatherParams>();
  const auto dtype = static_cast<DType>(p.dtype);
  check::input(call, 0, "table", check::product("table", p.rows, p.width), dtype);
  check::input(call, 1, "indices", p.count, DType::i32);
  check::output(call, 0, "out", check::product("out", p.count, p.width), dtype);
  check::distinct(call, 0, 0);
  check::distinct(call, 0, 1);
}

void checkGatherBackward(const OpCall& call) {
  const auto& p = call.as<GatherBackwardParams>();
  check::input(call, 0, "indices", p.count, DType::i32);
  check::input(call, 1, "dy", check::product("dy", p.count, p.width));
  check::output(call, 0, "dtable", check::product("dtable", p.rows, p.width));
  check::distinct(call, 0, 0);
  check::distinct(call, 0, 1);
}

const Field kFields[] = {
    ANNEAL_FIELD(GatherParams, dtype, u32, 1),
    ANNEAL_FIELD(GatherParams, rows, u32, 1),
    ANNEAL_FIELD(GatherParams, width, u32, 1),
    ANNEAL_FIELD(GatherParams, count, u32, 1),
};
const Field kBackwardFields[] = {
    ANNEAL_FIELD(GatherBackwardParams, rows, u32, 1),
    ANNEAL_FIELD(GatherBackwardParams, width, u32, 1),
    ANNEAL_FIELD(GatherBackwardParams, count, u32, 1),
};

}  // namespace

OpDef gather_op() {
  return {"gather", sizeof(GatherParams), kFields, 4, 2, 2, 1, 1, checkGather, gather_reference};
}
OpDef gather_backward_op() {
  return {"gather_backward",   sizeof(GatherBackwardParams), kBackwardFields, 3, 2, 2, 1, 1,
          checkGatherBackward, gather_backward_reference};
}

}  // namespace anneal
