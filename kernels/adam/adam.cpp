// Contract of adam: parameter layout and size checks.
#include "adam.h"

#include "../common/arena_check.h"

namespace anneal {

namespace {

const Field kFields[] = {
    ANNEAL_FIELD(AdamParams, n, u32, 1),           ANNEAL_FIELD(AdamParams, segments, u32, 1),
    ANNEAL_FIELD(AdamParams, decoupled, u32, 1),   ANNEAL_FIELD(AdamParams, lr, f32, 1),
    ANNEAL_FIELD(AdamParams, beta1, f32, 1),       ANNEAL_FIELD(AdamParams, beta1Rate, f32, 1),
    ANNEAL_FIELD(AdamParams, beta2, f32, 1),       ANNEAL_FIELD(AdamParams, beta2Rate, f32, 1),
    ANNEAL_FIELD(AdamParams, eps, f32, 1),         ANNEAL_FIELD(AdamParams, correction1, f32, 1),
    ANNEAL_FIELD(AdamParams, correction2, f32, 1), ANNEAL_FIELD(AdamParams, emaRate, f32, 1),
    ANNEAL_FIELD(AdamParams, gradScale, f32, 1),   ANNEAL_FIELD(AdamParams, clipNorm, f32, 1),
};

void checkAdam(const OpCall& call) {
  const auto& p = call.as<AdamParams>();
  check::range("decoupled", p.decoupled, 0, 1);
  check::arenaInputs(call, p.n, p.segments);
  check::output(call, 0, "params", p.n);
  check::output(call, 1, "m", p.n);
  check::output(call, 2, "v", p.n);
  if (call.nOut > 3) check::optionalOutput(call, 3, "vMax", p.n);
  if (call.nOut > 4) check::optionalOutput(call, 4, "ema", p.n);
  if (call.nOut > 5) check::optionalOutput(call, 5, "stats", check::product("segments", p.segments, 2));
  check::arenaDistinct(call);
}

}  // namespace

OpDef adam_op();
void adam_reference(const OpCall& call);

OpDef adam_op() {
  return {"adam", sizeof(AdamParams), kFields, sizeof(kFields) / sizeof(kFields[0]), 2, 3, 3, 6, checkAdam,
          adam_reference};
}

}  // namespace anneal
