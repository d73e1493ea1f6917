// Contracts of layer normalisation.
#include "layer_norm.h"

#include <cmath>
#include <cstddef>

#include "../../native/core/check.h"

namespace anneal {

void layer_norm_reference(const OpCall& call);
void layer_norm_backward_reference(const OpCall& call);

namespace {

const Field kFields[] = {
    ANNEAL_FIELD(LayerNormParams, rows, u32, 1),
    ANNEAL_FIELD(LayerNormParams, cols, u32, 1),
    ANNEAL_FIELD(LayerNormParams, eps, f32, 1),
};
const Field kBackwardFields[] = {
    ANNEAL_FIELD(LayerNormBackwardParams, rows, u32, 1),
    ANNEAL_FIELD(LayerNormBackwardParams, cols, u32, 1),
};

// out may be in itself, but no other overlap of the two.
void sameOrDistinct(const OpCall& call, uint32_t out, uint32_t in) {
  if (call.out[out].data != call.in[in].data) check::distinct(call, out, in);
}

void checkForward(const OpCall& call) {
  const auto& p = call.as<LayerNormParams>();
  check::condition(std::isfinite(p.eps) && p.eps >= 0, Code::range, "expected eps finite and at least 0, received %g",
                   static_cast<double>(p.eps));
  const int64_t elements = check::product("x", p.rows, p.cols);
  check::input(call, 0, "x", elements);
  check::optionalInput(call, 1, "gamma", p.cols);
  check::optionalInput(call, 2, "beta", p.cols);
  check::output(call, 0, "y", elements);
  check::optionalOutput(call, 1, "mean", p.rows);
  check::optionalOutput(call, 2, "rstd", p.rows);
  sameOrDistinct(call, 0, 0);
  for (uint32_t out = 0; out < 3; ++out)
    for (uint32_t in = out == 0 ? 1 : 0; in < 3; ++in) check::distinct(call, out, in);
}

void checkBackward(const OpCall& call) {
  const auto& p = call.as<LayerNormBackwardParams>();
  const int64_t elements = check::product("x", p.rows, p.cols);
  check::input(call, 0, "dy", elements);
  check::input(call, 1, "x", elements);
  check::optionalInput(call, 2, "gamma", p.cols);
  check::input(call, 3, "mean", p.rows);
  check::input(call, 4, "rstd", p.rows);
  check::output(call, 0, "dx", elements);
  check::optionalOutput(call, 1, "dgamma", p.cols);
  check::optionalOutput(call, 2, "dbeta", p.cols);
  sameOrDistinct(call, 0, 0);
  for (uint32_t out = 0; out < 3; ++out)
    for (uint32_t in = out == 0 ? 1 : 0; in < 5; ++in) check::distinct(call, out, in);
}

}  // namespace

OpDef layer_norm_op() {
  return {"layer_norm", sizeof(LayerNormParams), kFields, 3, 1, 3, 1, 3, checkForward, layer_norm_reference};
}

OpDef layer_norm_backward_op() {
  return {"layer_norm_backward", sizeof(LayerNormBackwardParams), kBackwardFields, 2, 5, 5, 1, 3, checkBackward,
          layer_norm_backward_reference};
}

}  // namespace anneal
