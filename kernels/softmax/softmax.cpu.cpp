// CPU bodies of softmax: passes over a row that stays in the L1 cache, rows grouped into tasks.
#include "softmax.h"

#include "../common/parallel.h"
#include "row.h"

namespace anneal::ANNEAL_ISA {
namespace {

void softmaxRow(const float* x, float* y, int64_t n) {
  const vf shift = splat(rowMaximum(x, n));
  const double total = sumRow(n, [&](int64_t i, int lanes) {
    const vf e = exp(loadLanes(x + i, lanes, -__builtin_inff()) - shift);
    storeLanes(y + i, e, lanes);
    return e;
  });
  const vf scale = splat(static_cast<float>(1.0 / total));
  overRow(n, [&](int64_t i, int lanes) { storeLanes(y + i, loadLanes(y + i, lanes, 0.0f) * scale, lanes); });
}

void logSoftmaxRow(const float* x, float* y, int64_t n) {
  const float largest = rowMaximum(x, n);
  const vf shift = splat(largest);
  const vf logSum = splat(static_cast<float>(__builtin_log(sumOfExponentials(x, n, largest))));
  overRow(n, [&](int64_t i, int lanes) {
    storeLanes(y + i, (loadLanes(x + i, lanes, 0.0f) - shift) - logSum, lanes);
  });
}

void softmaxBackwardRow(const float* y, const float* dy, float* dx, int64_t n) {
  const vf total = splat(static_cast<float>(sumRow(
      n, [&](int64_t i, int lanes) { return loadLanes(y + i, lanes, 0.0f) * loadLanes(dy + i, lanes, 0.0f); })));
  overRow(n, [&](int64_t i, int lanes) {
    storeLanes(dx + i, loadLanes(y + i, lanes, 0.0f) * (loadLanes(dy + i, lanes, 0.0f) - total), lanes);
  });
}

void logSoftmaxBackwardRow(const float* y, const float* dy, float* dx, int64_t n) {
  const vf total =
      splat(static_cast<float>(sumRow(n, [&](int64_t i, int lanes) { return loadLanes(dy + i, lanes, 0.0f); })));
  overRow(n, [&](int64_t i, int lanes) {
    storeLanes(dx + i, loadLanes(dy + i, lanes, 0.0f) - exp(loadLanes(y + i, lanes, 0.0f)) * total, lanes);
  });
}

}  // namespace

void softmax(const OpCall& call) {
  const auto& p = call.as<SoftmaxParams>();
  const int64_t cols = p.cols;
  const float* x = call.input<float>(0);
  float* y = call.output<float>(0);
  if (cols == 0) return;
  parallelRange(call.exec, p.rows, kRowTaskItems / cols + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      if (p.log != 0)
        logSoftmaxRow(x + r * cols, y + r * cols, cols);
      else
        softmaxRow(x + r * cols, y + r * cols, cols);
    }
  });
}

void softmax_backward(const OpCall& call) {
  const auto& p = call.as<SoftmaxParams>();
  const int64_t cols = p.cols;
  const float* y = call.input<float>(0);
  const float* dy = call.input<float>(1);
  float* dx = call.output<float>(0);
  if (cols == 0) return;
  parallelRange(call.exec, p.rows, kRowTaskItems / cols + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = r * cols;
      if (p.log != 0)
        logSoftmaxBackwardRow(y + at, dy + at, dx + at, cols);
      else
        softmaxBackwardRow(y + at, dy + at, dx + at, cols);
    }
  });
}

}  // namespace anneal::ANNEAL_ISA
