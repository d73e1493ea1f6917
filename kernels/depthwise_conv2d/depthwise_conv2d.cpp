// Contracts of the depthwise convolutions.
#include "depthwise_conv2d.h"

#include <cstddef>

#include "../../native/core/check.h"
#include "../common/activation.h"

namespace anneal {

void depthwise_conv2d_reference(const OpCall& call);
void depthwise_conv2d_backward_data_reference(const OpCall& call);
void depthwise_conv2d_backward_weight_reference(const OpCall& call);

namespace {

using Params = DepthwiseConv2dParams;
constexpr int64_t kLargest = 0x7fffffff;

const Field kFields[] = {
    ANNEAL_FIELD(Params, n, u32, 1),         ANNEAL_FIELD(Params, h, u32, 1),
    ANNEAL_FIELD(Params, w, u32, 1),         ANNEAL_FIELD(Params, c, u32, 1),
    ANNEAL_FIELD(Params, m, u32, 1),         ANNEAL_FIELD(Params, oh, u32, 1),
    ANNEAL_FIELD(Params, ow, u32, 1),        ANNEAL_FIELD(Params, kh, u32, 1),
    ANNEAL_FIELD(Params, kw, u32, 1),        ANNEAL_FIELD(Params, strideH, u32, 1),
    ANNEAL_FIELD(Params, strideW, u32, 1),   ANNEAL_FIELD(Params, dilationH, u32, 1),
    ANNEAL_FIELD(Params, dilationW, u32, 1), ANNEAL_FIELD(Params, padTop, u32, 1),
    ANNEAL_FIELD(Params, padLeft, u32, 1),   ANNEAL_FIELD(Params, activation, u32, 1),
};
constexpr uint32_t kFieldCount = sizeof kFields / sizeof kFields[0];

struct Sizes {
  int64_t x, w, y, outChannels;
};

Sizes checkGeometry(const Params& p, int64_t lastActivation) {
  check::range("n", p.n, 0, kLargest);
  check::range("h", p.h, 0, kLargest);
  check::range("w", p.w, 0, kLargest);
  check::range("c", p.c, 0, kLargest);
  check::range("m", p.m, 1, kLargest);
  check::range("oh", p.oh, 0, kLargest);
  check::range("ow", p.ow, 0, kLargest);
  check::range("kh", p.kh, 1, kLargest);
  check::range("kw", p.kw, 1, kLargest);
  check::range("strideH", p.strideH, 1, kLargest);
  check::range("strideW", p.strideW, 1, kLargest);
  check::range("dilationH", p.dilationH, 1, kLargest);
  check::range("dilationW", p.dilationW, 1, kLargest);
  check::range("padTop", p.padTop, 0, kLargest);
  check::range("padLeft", p.padLeft, 0, kLargest);
  check::range("activation", p.activation, 0, lastActivation);
  // The kernels compute positions in the padded row, times channels: keep those in 64 bits.
  const int64_t reach = static_cast<int64_t>(p.ow) * p.strideW + static_cast<int64_t>(p.kw) * p.dilationW;
  check::product("the padded row", reach + p.w + p.padLeft, p.c, p.m);
  return {check::product("x", p.n, p.h, p.w, p.c), check::product("w", p.kh, p.kw, p.c, p.m),
          check::product("y", p.n, p.oh, p.ow, p.c, p.m), check::product("bias", p.c, p.m)};
}

void checkForward(const OpCall& call) {
  const Sizes sizes = checkGeometry(call.as<Params>(), kLastActivation);
  check::input(call, 0, "x", sizes.x);
  check::input(call, 1, "w", sizes.w);
  check::optionalInput(call, 2, "bias", sizes.outChannels);
  check::output(call, 0, "y", sizes.y);
  for (uint32_t in = 0; in < 3; ++in) check::distinct(call, 0, in);
}

void checkBackwardData(const OpCall& call) {
  const Sizes sizes = checkGeometry(call.as<Params>(), 0);
  check::input(call, 0, "dy", sizes.y);
  check::input(call, 1, "w", sizes.w);
  check::output(call, 0, "dx", sizes.x);
  check::distinct(call, 0, 0);
  check::distinct(call, 0, 1);
}

void checkBackwardWeight(const OpCall& call) {
  const Sizes sizes = checkGeometry(call.as<Params>(), 0);
  check::input(call, 0, "x", sizes.x);
  check::input(call, 1, "dy", sizes.y);
  check::output(call, 0, "dw", sizes.w);
  check::optionalOutput(call, 1, "dbias", sizes.outChannels);
  for (uint32_t out = 0; out < 2; ++out)
    for (uint32_t in = 0; in < 2; ++in) check::distinct(call, out, in);
}

}  // namespace

OpDef depthwise_conv2d_op() {
  return {"depthwise_conv2d", sizeof(Params), kFields, kFieldCount, 2, 3, 1, 1, checkForward,
          depthwise_conv2d_reference};
}

OpDef depthwise_conv2d_backward_data_op() {
  return {"depthwise_conv2d_backward_data", sizeof(Params),    kFields, kFieldCount, 2, 2, 1, 1,
          checkBackwardData, depthwise_conv2d_backward_data_reference};
}

OpDef depthwise_conv2d_backward_weight_op() {
  return {"depthwise_conv2d_backward_weight", sizeof(Params),      kFields, kFieldCount, 2, 2, 1, 2,
          checkBackwardWeight, depthwise_conv2d_backward_weight_reference};
}

}  // namespace anneal
