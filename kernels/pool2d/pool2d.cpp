// Contracts of the pooling ops.
#include "pool2d.h"

#include <cstddef>

#include "../../native/core/check.h"

namespace anneal {

void max_pool2d_reference(const OpCall& call);
void max_pool2d_backward_reference(const OpCall& call);
void avg_pool2d_reference(const OpCall& call);
void avg_pool2d_backward_reference(const OpCall& call);

namespace {

constexpr int64_t kLargest = 0x7fffffff;

const Field kFields[] = {
    ANNEAL_FIELD(Pool2dParams, n, u32, 1),       ANNEAL_FIELD(Pool2dParams, h, u32, 1),
    ANNEAL_FIELD(Pool2dParams, w, u32, 1),       ANNEAL_FIELD(Pool2dParams, c, u32, 1),
    ANNEAL_FIELD(Pool2dParams, oh, u32, 1),      ANNEAL_FIELD(Pool2dParams, ow, u32, 1),
    ANNEAL_FIELD(Pool2dParams, kh, u32, 1),      ANNEAL_FIELD(Pool2dParams, kw, u32, 1),
    ANNEAL_FIELD(Pool2dParams, strideH, u32, 1), ANNEAL_FIELD(Pool2dParams, strideW, u32, 1),
    ANNEAL_FIELD(Pool2dParams, padTop, u32, 1),  ANNEAL_FIELD(Pool2dParams, padLeft, u32, 1),
    ANNEAL_FIELD(Pool2dParams, countIncludePad, u32, 1),
};
constexpr uint32_t kFieldCount = sizeof kFields / sizeof kFields[0];

void checkWindows(const char* axis, int64_t image, int64_t windows, int64_t size, int64_t stride, int64_t pad) {
  check::condition(pad < size, Code::shape, "expected padding in %s below the window of %lld, received %lld", axis,
                   static_cast<long long>(size), static_cast<long long>(pad));
  check::condition(image > 0 && (windows - 1) * stride - pad < image, Code::shape,
                   "expected every window to meet the image in %s, received size %lld, %lld windows of stride %lld "
                   "and padding %lld",
                   axis, static_cast<long long>(image), static_cast<long long>(windows),
                   static_cast<long long>(stride), static_cast<long long>(pad));
}

struct Sizes {
  int64_t x, y;
};

Sizes checkGeometry(const Pool2dParams& p) {
  check::range("n", p.n, 0, kLargest);
  check::range("h", p.h, 0, kLargest);
  check::range("w", p.w, 0, kLargest);
  check::range("c", p.c, 0, kLargest);
  check::range("oh", p.oh, 0, kLargest);
  check::range("ow", p.ow, 0, kLargest);
  check::range("kh", p.kh, 1, kLargest);
  check::range("kw", p.kw, 1, kLargest);
  check::range("kh * kw", static_cast<int64_t>(p.kh) * p.kw, 1, kLargest);  // argmax is i32
  check::range("strideH", p.strideH, 1, kLargest);
  check::range("strideW", p.strideW, 1, kLargest);
  check::range("padTop", p.padTop, 0, kLargest);
  check::range("padLeft", p.padLeft, 0, kLargest);
  check::range("countIncludePad", p.countIncludePad, 0, 1);
  if (p.oh > 0 && p.ow > 0) {
    checkWindows("height", p.h, p.oh, p.kh, p.strideH, p.padTop);
    checkWindows("width", p.w, p.ow, p.kw, p.strideW, p.padLeft);
  }
  return {check::product("x", p.n, p.h, p.w, p.c), check::product("y", p.n, p.oh, p.ow, p.c)};
}

void checkMaxPool2d(const OpCall& call) {
  const Sizes sizes = checkGeometry(call.as<Pool2dParams>());
  check::input(call, 0, "x", sizes.x);
  check::output(call, 0, "y", sizes.y);
  check::optionalOutput(call, 1, "argmax", sizes.y, DType::i32);
  check::distinct(call, 0, 0);
  check::distinct(call, 1, 0);
}

void checkMaxPool2dBackward(const OpCall& call) {
  const Sizes sizes = checkGeometry(call.as<Pool2dParams>());
  check::input(call, 0, "dy", sizes.y);
  check::input(call, 1, "argmax", sizes.y, DType::i32);
  check::output(call, 0, "dx", sizes.x);
  check::distinct(call, 0, 0);
  check::distinct(call, 0, 1);
}

void checkAvgPool2d(const OpCall& call) {
  const Sizes sizes = checkGeometry(call.as<Pool2dParams>());
  check::input(call, 0, "x", sizes.x);
  check::output(call, 0, "y", sizes.y);
  check::distinct(call, 0, 0);
}

void checkAvgPool2dBackward(const OpCall& call) {
  const Sizes sizes = checkGeometry(call.as<Pool2dParams>());
  check::input(call, 0, "dy", sizes.y);
  check::output(call, 0, "dx", sizes.x);
  check::distinct(call, 0, 0);
}

}  // namespace

OpDef max_pool2d_op() {
  return {"max_pool2d", sizeof(Pool2dParams), kFields, kFieldCount, 1, 1, 1, 2, checkMaxPool2d, max_pool2d_reference};
}

OpDef max_pool2d_backward_op() {
  return {"max_pool2d_backward",  sizeof(Pool2dParams), kFields, kFieldCount, 2, 2, 1, 1, checkMaxPool2dBackward,
          max_pool2d_backward_reference};
}

OpDef avg_pool2d_op() {
  return {"avg_pool2d", sizeof(Pool2dParams), kFields, kFieldCount, 1, 1, 1, 1, checkAvgPool2d, avg_pool2d_reference};
}

OpDef avg_pool2d_backward_op() {
  return {"avg_pool2d_backward",  sizeof(Pool2dParams), kFields, kFieldCount, 1, 1, 1, 1, checkAvgPool2dBackward,
          avg_pool2d_backward_reference};
}

}  // namespace anneal
