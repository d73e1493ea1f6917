// Contracts of batch normalisation.
#include "batch_norm.h"

#include <cmath>
#include <cstddef>

#include "../../native/core/check.h"

namespace anneal {

void batch_norm_reference(const OpCall& call);
void batch_norm_backward_reference(const OpCall& call);

namespace {

const Field kFields[] = {
    ANNEAL_FIELD(BatchNormParams, rows, u32, 1),     ANNEAL_FIELD(BatchNormParams, channels, u32, 1),
    ANNEAL_FIELD(BatchNormParams, training, u32, 1), ANNEAL_FIELD(BatchNormParams, eps, f32, 1),
    ANNEAL_FIELD(BatchNormParams, momentum, f32, 1),
};
const Field kBackwardFields[] = {
    ANNEAL_FIELD(BatchNormBackwardParams, rows, u32, 1),
    ANNEAL_FIELD(BatchNormBackwardParams, channels, u32, 1),
    ANNEAL_FIELD(BatchNormBackwardParams, training, u32, 1),
};

// Output 0 may be input 0 itself; no other output may overlap an input.
void noOverlap(const OpCall& call) {
  for (uint32_t out = 0; out < call.nOut; ++out)
    for (uint32_t in = 0; in < call.nIn; ++in)
      if (out > 0 || in > 0 || call.out[0].data != call.in[0].data) check::distinct(call, out, in);
}

void checkForward(const OpCall& call) {
  const auto& p = call.as<BatchNormParams>();
  check::range("training", p.training, 0, 1);
  check::condition(std::isfinite(p.eps) && p.eps >= 0, Code::range, "expected eps finite and at least 0, received %g",
                   static_cast<double>(p.eps));
  check::condition(p.momentum >= 0 && p.momentum <= 1, Code::range, "expected momentum in [0, 1], received %g",
                   static_cast<double>(p.momentum));
  const int64_t elements = check::product("x", p.rows, p.channels);
  check::input(call, 0, "x", elements);
  check::optionalInput(call, 1, "gamma", p.channels);
  check::optionalInput(call, 2, "beta", p.channels);
  if (!p.training) {
    check::input(call, 3, "runningMean", p.channels);
    check::input(call, 4, "runningVar", p.channels);
  }
  check::output(call, 0, "y", elements);
  check::optionalOutput(call, 1, "mean", p.channels);
  check::optionalOutput(call, 2, "rstd", p.channels);
  check::optionalOutput(call, 3, "runningMean", p.channels);
  check::optionalOutput(call, 4, "runningVar", p.channels);
  noOverlap(call);
}

void checkBackward(const OpCall& call) {
  const auto& p = call.as<BatchNormBackwardParams>();
  check::range("training", p.training, 0, 1);
  const int64_t elements = check::product("x", p.rows, p.channels);
  check::input(call, 0, "dy", elements);
  check::input(call, 1, "x", elements);
  check::optionalInput(call, 2, "gamma", p.channels);
  check::input(call, 3, "mean", p.channels);
  check::input(call, 4, "rstd", p.channels);
  check::output(call, 0, "dx", elements);
  check::optionalOutput(call, 1, "dgamma", p.channels);
  check::optionalOutput(call, 2, "dbeta", p.channels);
  noOverlap(call);
}

}  // namespace

OpDef batch_norm_op() {
  return {"batch_norm", sizeof(BatchNormParams), kFields, 5, 1, 5, 1, 5, checkForward, batch_norm_reference};
}

OpDef batch_norm_backward_op() {
  return {"batch_norm_backward", sizeof(BatchNormBackwardParams), kBackwardFields, 3, 5, 5, 1, 3, checkBackward,
          batch_norm_backward_reference};
}

}  // namespace anneal
