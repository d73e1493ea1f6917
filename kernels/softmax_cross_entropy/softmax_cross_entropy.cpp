// Contracts of softmax_cross_entropy and its backward.
#include "softmax_cross_entropy.h"

#include "../../native/core/check.h"

namespace anneal {

void softmax_cross_entropy_reference(const OpCall&);
void softmax_cross_entropy_backward_reference(const OpCall&);

namespace {

int64_t checkParams(const SoftmaxCrossEntropyParams& p) {
  check::range("dense", p.dense, 0, 1);
  check::range("reduction", p.reduction, 0, static_cast<int64_t>(CrossEntropyReduction::mean));
  check::condition(p.labelSmoothing >= 0 && p.labelSmoothing <= 1, Code::range,
                   "expected labelSmoothing in [0, 1], received %g", static_cast<double>(p.labelSmoothing));
  check::condition(p.classes > 0 || p.rows == 0, Code::shape, "expected at least one class, received none");
  return check::product("logits", p.rows, p.classes);
}

int64_t losses(const SoftmaxCrossEntropyParams& p) {
  return p.reduction == static_cast<uint32_t>(CrossEntropyReduction::none) ? p.rows : 1;
}

// Whether there is a divisor, of which `has` says whether the call has one.
bool dividedBy(const SoftmaxCrossEntropyParams& p, bool has) {
  const bool mean = p.reduction == static_cast<uint32_t>(CrossEntropyReduction::mean);
  check::condition(has == mean, Code::argument, "expected a divisor with the mean only, received reduction %u with%s",
                   p.reduction, has ? "" : "out");
  return mean;
}

void checkTarget(const OpCall& call, uint32_t in, int64_t items) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  const bool dense = p.dense != 0;
  check::input(call, in, "target", dense ? items : p.rows, dense ? DType::f32 : DType::i32);
}

void checkSoftmaxCrossEntropy(const OpCall& call) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  const int64_t items = checkParams(p);
  check::input(call, 0, "logits", items);
  checkTarget(call, 1, items);
  check::optionalInput(call, 2, "classWeights", p.classes);
  check::output(call, 0, "loss", losses(p));
  check::output(call, 1, "normalizers", 2 * int64_t{p.rows});
  check::output(call, 2, "weight", p.rows);
  dividedBy(p, check::optionalOutput(call, 3, "divisor", 1));
  const bool gradient = check::optionalOutput(call, 4, "dlogits", items);
  check::condition(!gradient || p.reduction != static_cast<uint32_t>(CrossEntropyReduction::none), Code::argument,
                   "expected dlogits with a sum or mean only, received reduction %u", p.reduction);
  for (uint32_t out = 0; out < call.nOut; ++out)
    for (uint32_t in = 0; in < 3; ++in) check::distinct(call, out, in);
}

void checkSoftmaxCrossEntropyBackward(const OpCall& call) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  const int64_t items = checkParams(p);
  check::input(call, 0, "logits", items);
  check::input(call, 1, "normalizers", 2 * int64_t{p.rows});
  checkTarget(call, 2, items);
  check::optionalInput(call, 3, "classWeights", p.classes);
  check::input(call, 4, "dLoss", losses(p));
  if (dividedBy(p, call.nIn == 6)) check::input(call, 5, "divisor", 1);
  check::output(call, 0, "dlogits", items);
  if (call.in[0].data != call.out[0].data) check::distinct(call, 0, 0);
  for (uint32_t in = 1; in < call.nIn; ++in) check::distinct(call, 0, in);
}

const Field kFields[] = {
    ANNEAL_FIELD(SoftmaxCrossEntropyParams, rows, u32, 1),
    ANNEAL_FIELD(SoftmaxCrossEntropyParams, classes, u32, 1),
    ANNEAL_FIELD(SoftmaxCrossEntropyParams, dense, u32, 1),
    ANNEAL_FIELD(SoftmaxCrossEntropyParams, labelSmoothing, f32, 1),
    ANNEAL_FIELD(SoftmaxCrossEntropyParams, ignoreIndex, i32, 1),
    ANNEAL_FIELD(SoftmaxCrossEntropyParams, reduction, u32, 1),
};

}  // namespace

OpDef softmax_cross_entropy_op() {
  return {"softmax_cross_entropy", sizeof(SoftmaxCrossEntropyParams), kFields, 6, 2, 3, 3, 5,
          checkSoftmaxCrossEntropy, softmax_cross_entropy_reference};
}
OpDef softmax_cross_entropy_backward_op() {
  return {"softmax_cross_entropy_backward", sizeof(SoftmaxCrossEntropyParams), kFields, 6, 5, 6, 1, 1,
          checkSoftmaxCrossEntropyBackward, softmax_cross_entropy_backward_reference};
}

}  // namespace anneal
