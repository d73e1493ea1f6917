// Contracts of softmax and softmax_backward.
#include "softmax.h"

#include "../../native/core/check.h"

namespace anneal {

void softmax_reference(const OpCall&);
void softmax_backward_reference(const OpCall&);

namespace {

int64_t checkMatrix(const OpCall& call) {
  const auto& p = call.as<SoftmaxParams>();
  check::range("log", p.log, 0, 1);
  return check::product("x", p.rows, p.cols);
}

void checkOverlap(const OpCall& call, uint32_t in) {
  if (call.in[in].data != call.out[0].data) check::distinct(call, 0, in);
}

void checkSoftmax(const OpCall& call) {
  const int64_t items = checkMatrix(call);
  check::input(call, 0, "x", items);
  check::output(call, 0, "y", items);
  checkOverlap(call, 0);
}

void checkSoftmaxBackward(const OpCall& call) {
  const int64_t items = checkMatrix(call);
  check::input(call, 0, "y", items);
  check::input(call, 1, "dy", items);
  check::output(call, 0, "dx", items);
  checkOverlap(call, 0);
  checkOverlap(call, 1);
}

const Field kFields[] = {
    ANNEAL_FIELD(SoftmaxParams, rows, u32, 1),
    ANNEAL_FIELD(SoftmaxParams, cols, u32, 1),
    ANNEAL_FIELD(SoftmaxParams, log, u32, 1),
};

}  // namespace

OpDef softmax_op() {
  return {"softmax", sizeof(SoftmaxParams), kFields, 3, 1, 1, 1, 1, checkSoftmax, softmax_reference};
}
OpDef softmax_backward_op() {
  return {"softmax_backward",   sizeof(SoftmaxParams),     kFields, 3, 2, 2, 1, 1,
          checkSoftmaxBackward, softmax_backward_reference};
}

}  // namespace anneal
