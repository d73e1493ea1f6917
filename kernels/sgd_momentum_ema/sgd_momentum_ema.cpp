// Contract of sgd_momentum_ema: parameter layout and size checks.
#include "sgd_momentum_ema.h"

#include "../common/arena_check.h"

namespace anneal {

namespace {

const Field kFields[] = {
    ANNEAL_FIELD(SgdMomentumEmaParams, n, u32, 1),
    ANNEAL_FIELD(SgdMomentumEmaParams, segments, u32, 1),
    ANNEAL_FIELD(SgdMomentumEmaParams, nesterov, u32, 1),
    ANNEAL_FIELD(SgdMomentumEmaParams, first, u32, 1),
    ANNEAL_FIELD(SgdMomentumEmaParams, lr, f32, 1),
    ANNEAL_FIELD(SgdMomentumEmaParams, momentum, f32, 1),
    ANNEAL_FIELD(SgdMomentumEmaParams, dampening, f32, 1),
    ANNEAL_FIELD(SgdMomentumEmaParams, emaRate, f32, 1),
    ANNEAL_FIELD(SgdMomentumEmaParams, gradScale, f32, 1),
    ANNEAL_FIELD(SgdMomentumEmaParams, clipNorm, f32, 1),
};

void checkSgdMomentumEma(const OpCall& call) {
  const auto& p = call.as<SgdMomentumEmaParams>();
  check::range("nesterov", p.nesterov, 0, 1);
  check::range("first", p.first, 0, 1);
  check::arenaInputs(call, p.n, p.segments);
  check::output(call, 0, "params", p.n);
  const bool momentum = call.nOut > 1 && check::optionalOutput(call, 1, "momentum", p.n);
  check::condition(momentum || p.momentum == 0.0f, Code::argument,
                   "expected a momentum buffer for momentum %g, received none", static_cast<double>(p.momentum));
  if (call.nOut > 2) check::optionalOutput(call, 2, "ema", p.n);
  if (call.nOut > 3) check::optionalOutput(call, 3, "stats", check::product("segments", p.segments, 2));
  check::arenaDistinct(call);
}

}  // namespace

OpDef sgd_momentum_ema_op();
void sgd_momentum_ema_reference(const OpCall& call);

OpDef sgd_momentum_ema_op() {
  return {"sgd_momentum_ema", sizeof(SgdMomentumEmaParams), kFields, sizeof(kFields) / sizeof(kFields[0]),
          2, 3, 1, 4, checkSgdMomentumEma, sgd_momentum_ema_reference};
}

}  // namespace anneal
