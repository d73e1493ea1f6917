// Contract of rmsprop: parameter layout and size checks.
#include "rmsprop.h"

#include "../common/arena_check.h"

namespace anneal {

namespace {

const Field kFields[] = {
    ANNEAL_FIELD(RmspropParams, n, u32, 1),         ANNEAL_FIELD(RmspropParams, segments, u32, 1),
    ANNEAL_FIELD(RmspropParams, lr, f32, 1),        ANNEAL_FIELD(RmspropParams, alpha, f32, 1),
    ANNEAL_FIELD(RmspropParams, alphaRate, f32, 1), ANNEAL_FIELD(RmspropParams, eps, f32, 1),
    ANNEAL_FIELD(RmspropParams, momentum, f32, 1),  ANNEAL_FIELD(RmspropParams, emaRate, f32, 1),
    ANNEAL_FIELD(RmspropParams, gradScale, f32, 1), ANNEAL_FIELD(RmspropParams, clipNorm, f32, 1),
};

void checkRmsprop(const OpCall& call) {
  const auto& p = call.as<RmspropParams>();
  check::arenaInputs(call, p.n, p.segments);
  check::output(call, 0, "params", p.n);
  check::output(call, 1, "v", p.n);
  if (call.nOut > 2) check::optionalOutput(call, 2, "meanGrad", p.n);
  const bool momentum = call.nOut > 3 && check::optionalOutput(call, 3, "momentum", p.n);
  check::condition(momentum || p.momentum == 0.0f, Code::argument,
                   "expected a momentum buffer for momentum %g, received none", static_cast<double>(p.momentum));
  if (call.nOut > 4) check::optionalOutput(call, 4, "ema", p.n);
  if (call.nOut > 5) check::optionalOutput(call, 5, "stats", check::product("segments", p.segments, 2));
  check::arenaDistinct(call);
}

}  // namespace

OpDef rmsprop_op();
void rmsprop_reference(const OpCall& call);

OpDef rmsprop_op() {
  return {"rmsprop", sizeof(RmspropParams), kFields, sizeof(kFields) / sizeof(kFields[0]), 2, 3, 2, 6, checkRmsprop,
          rmsprop_reference};
}

}  // namespace anneal
