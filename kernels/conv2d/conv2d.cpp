// Contracts of the convolution ops.
#include "conv2d.h"

#include <cstddef>

#include "../../native/core/check.h"
#include "../common/activation.h"

namespace anneal {

void conv2d_reference(const OpCall& call);
void conv2d_backward_data_reference(const OpCall& call);
void conv2d_backward_weight_reference(const OpCall& call);

namespace {

const Field kFields[] = {
    ANNEAL_FIELD(Conv2dParams, n, u32, 1),         ANNEAL_FIELD(Conv2dParams, h, u32, 1),
    ANNEAL_FIELD(Conv2dParams, w, u32, 1),         ANNEAL_FIELD(Conv2dParams, c, u32, 1),
    ANNEAL_FIELD(Conv2dParams, oh, u32, 1),        ANNEAL_FIELD(Conv2dParams, ow, u32, 1),
    ANNEAL_FIELD(Conv2dParams, oc, u32, 1),        ANNEAL_FIELD(Conv2dParams, kh, u32, 1),
    ANNEAL_FIELD(Conv2dParams, kw, u32, 1),        ANNEAL_FIELD(Conv2dParams, strideH, u32, 1),
    ANNEAL_FIELD(Conv2dParams, strideW, u32, 1),   ANNEAL_FIELD(Conv2dParams, dilationH, u32, 1),
    ANNEAL_FIELD(Conv2dParams, dilationW, u32, 1), ANNEAL_FIELD(Conv2dParams, padTop, u32, 1),
    ANNEAL_FIELD(Conv2dParams, padLeft, u32, 1),   ANNEAL_FIELD(Conv2dParams, groups, u32, 1),
    ANNEAL_FIELD(Conv2dParams, activation, u32, 1), ANNEAL_FIELD(Conv2dParams, accumulate, u32, 1),
};
constexpr uint32_t kFieldCount = sizeof kFields / sizeof kFields[0];

// Sizes along one axis stay below this, so that no product of two overflows.
constexpr int64_t kLargest = (int64_t{1} << 24) - 1;

struct Sizes {
  int64_t x, w, y;
};

int64_t extentOf(int64_t kernel, int64_t dilation) { return dilation * (kernel - 1) + 1; }

// The kernels copy the image with its padding, and the gradient with as much around it: that memory must stay in
// proportion to the operands, whatever the parameters say.
void checkPadded(const Conv2dParams& p, const Sizes& sizes) {
  const int64_t extentH = extentOf(p.kh, p.dilationH), extentW = extentOf(p.kw, p.dilationW);
  const auto along = [](int64_t image, int64_t out, int64_t stride, int64_t extent, int64_t pad) {
    const int64_t covered = out == 0 ? 0 : (out - 1) * stride + extent;
    return (covered > image + pad ? covered : image + pad) + extent;
  };
  const int64_t padded = check::product("the padded image", p.n, along(p.h, p.oh, p.strideH, extentH, p.padTop),
                                        along(p.w, p.ow, p.strideW, extentW, p.padLeft), p.c > p.oc ? p.c : p.oc);
  const int64_t operands = sizes.x + sizes.w + sizes.y;
  check::condition(padded / 64 <= operands + (1 << 14), Code::shape,
                   "expected padding and strides in proportion to the image, received a padded image of %lld elements "
                   "for operands of %lld",
                   static_cast<long long>(padded), static_cast<long long>(operands));
}

Sizes checkGeometry(const Conv2dParams& p, bool adds = false) {
  check::range("n", p.n, 0, 0x7fffffff);
  check::range("h", p.h, 0, kLargest);
  check::range("w", p.w, 0, kLargest);
  check::range("c", p.c, 1, kLargest);
  check::range("oh", p.oh, 0, kLargest);
  check::range("ow", p.ow, 0, kLargest);
  check::range("oc", p.oc, 1, kLargest);
  check::range("kh", p.kh, 1, 4096);
  check::range("kw", p.kw, 1, 4096);
  check::range("strideH", p.strideH, 1, 4096);
  check::range("strideW", p.strideW, 1, 4096);
  check::range("dilationH", p.dilationH, 1, 4096);
  check::range("dilationW", p.dilationW, 1, 4096);
  check::range("padTop", p.padTop, 0, kLargest);
  check::range("padLeft", p.padLeft, 0, kLargest);
  check::range("groups", p.groups, 1, p.c);
  check::range("activation", p.activation, 0, kLastActivation);
  check::range("accumulate", p.accumulate, 0, adds ? 1 : 0);
  check::condition(p.c % p.groups == 0 && p.oc % p.groups == 0, Code::shape,
                   "expected channels divisible by %u groups, received %u in and %u out", p.groups, p.c, p.oc);
  const Sizes sizes = {check::product("x", p.n, p.h, p.w, p.c), check::product("w", p.kh, p.kw, p.c / p.groups, p.oc),
                       check::product("y", p.n, p.oh, p.ow, p.oc)};
  checkPadded(p, sizes);
  return sizes;
}

void checkForward(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const Sizes sizes = checkGeometry(p);
  check::input(call, 0, "x", sizes.x);
  check::input(call, 1, "w", sizes.w);
  check::optionalInput(call, 2, "bias", p.oc);
  check::output(call, 0, "y", sizes.y);
  for (uint32_t i = 0; i < call.nIn; ++i) check::distinct(call, 0, i);
}

void checkBackwardData(const OpCall& call) {
  const Sizes sizes = checkGeometry(call.as<Conv2dParams>());
  check::input(call, 0, "dy", sizes.y);
  check::input(call, 1, "w", sizes.w);
  check::output(call, 0, "dx", sizes.x);
  check::distinct(call, 0, 0);
  check::distinct(call, 0, 1);
}

void checkBackwardWeight(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const Sizes sizes = checkGeometry(p, true);
  check::input(call, 0, "x", sizes.x);
  check::input(call, 1, "dy", sizes.y);
  check::output(call, 0, "dw", sizes.w);
  check::optionalOutput(call, 1, "db", p.oc);
  for (uint32_t o = 0; o < call.nOut; ++o)
    for (uint32_t i = 0; i < 2; ++i) check::distinct(call, o, i);
  if (call.nOut > 1 && call.out[1].data != nullptr) {
    const auto dw = reinterpret_cast<uintptr_t>(call.out[0].data), db = reinterpret_cast<uintptr_t>(call.out[1].data);
    check::condition(dw + call.out[0].bytes <= db || db + call.out[1].bytes <= dw, Code::argument,
                     "expected dw and db not to overlap");
  }
}

}  // namespace

OpDef conv2d_op() {
  return {"conv2d", sizeof(Conv2dParams), kFields, kFieldCount, 2, 3, 1, 1, checkForward, conv2d_reference};
}

OpDef conv2d_backward_data_op() {
  return {"conv2d_backward_data", sizeof(Conv2dParams), kFields, kFieldCount, 2, 2, 1, 1, checkBackwardData,
          conv2d_backward_data_reference};
}

OpDef conv2d_backward_weight_op() {
  return {"conv2d_backward_weight", sizeof(Conv2dParams), kFields, kFieldCount, 2, 2, 1, 2, checkBackwardWeight,
          conv2d_backward_weight_reference};
}

}  // namespace anneal
