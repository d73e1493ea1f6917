// CPU bodies of softmax: passes over a row that stays in the L1 cache, rows grouped into tasks.
#include "softmax.h"

#include "../common/parallel.h"
#include "row.h"

namespace anneal::ANNEAL_ISA {
namespace {

// m: the row's maximum; next: see eachRowWithMaximum. The exponentials wait in y itself or, where y goes past the caches, in
// a block.
template <class Next> void softmaxRow(const float* x, float m, const Next& next, bool streams, float* y, int64_t n) {
  alignas(64) float block[kSumBlock];
  streams = streams && n <= kSumBlock;
  float* const e = streams ? block : y;
  const double total = sumRow(n, [&](int64_t i, int lanes, int k) {
    next(i, lanes, k);
    const vf v = expOfDifference(loadLanes(x + i, lanes, -__builtin_inff()) - splat(m));
    storeLanes(e + i, v, lanes);
    return v;
  });
  const vf scale = splat(static_cast<float>(1.0 / total));
  eachVectorTo(y, streams, n, [=](int64_t i, int lanes, auto stores) {
    putLanes(stores, y + i, loadLanes(e + i, lanes, 0.0f) * scale, lanes);
  });
}

template <class Next> void logSoftmaxRow(const float* x, float m, const Next& next, bool streams, float* y, int64_t n) {
  const double total = sumRow(n, [&](int64_t i, int lanes, int k) {
    next(i, lanes, k);
    return expOfDifference(loadLanes(x + i, lanes, -__builtin_inff()) - splat(m));
  });
  const vf shift = splat(m), logSum = splat(static_cast<float>(__builtin_log(total)));
  eachVectorTo(y, streams, n, [=](int64_t i, int lanes, auto stores) {
    putLanes(stores, y + i, (loadLanes(x + i, lanes, 0.0f) - shift) - logSum, lanes);
  });
}

void softmaxBackwardRow(const float* y, const float* dy, bool streams, float* dx, int64_t n) {
  const vf total = splat(static_cast<float>(sumRow(
      n, [&](int64_t i, int lanes, int) { return loadLanes(y + i, lanes, 0.0f) * loadLanes(dy + i, lanes, 0.0f); })));
  eachVectorTo(dx, streams, n, [=](int64_t i, int lanes, auto stores) {
    putLanes(stores, dx + i, loadLanes(y + i, lanes, 0.0f) * (loadLanes(dy + i, lanes, 0.0f) - total), lanes);
  });
}

void logSoftmaxBackwardRow(const float* y, const float* dy, bool streams, float* dx, int64_t n) {
  const vf total =
      splat(static_cast<float>(sumRow(n, [&](int64_t i, int lanes, int) { return loadLanes(dy + i, lanes, 0.0f); })));
  eachVectorTo(dx, streams, n, [=](int64_t i, int lanes, auto stores) {
    putLanes(stores, dx + i, loadLanes(dy + i, lanes, 0.0f) - expOfDifference(loadLanes(y + i, lanes, 0.0f)) * total, lanes);
  });
}

}  // namespace

void softmax(const OpCall& call) {
  const auto& p = call.as<SoftmaxParams>();
  const int64_t cols = p.cols;
  const float* x = call.input<float>(0);
  float* y = call.output<float>(0);
  if (cols == 0) return;
  const bool streams = wantsStreams(call);
  parallelRange(call.exec, p.rows, kRowTaskItems / cols + 1, [&](int64_t begin, int64_t end, int) {
    eachRowWithMaximum(x, begin, end, cols, [&](int64_t r, float m, const auto& next) {
      if (p.log != 0)
        logSoftmaxRow(x + r * cols, m, next, streams, y + r * cols, cols);
      else
        softmaxRow(x + r * cols, m, next, streams, y + r * cols, cols);
    });
    fenceStreams();
  });
}

void softmax_backward(const OpCall& call) {
  const auto& p = call.as<SoftmaxParams>();
  const int64_t cols = p.cols;
  const float* y = call.input<float>(0);
  const float* dy = call.input<float>(1);
  float* dx = call.output<float>(0);
  if (cols == 0) return;
  const bool streams = wantsStreams(call);
  parallelRange(call.exec, p.rows, kRowTaskItems / cols + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = r * cols;
      if (p.log != 0)
        logSoftmaxBackwardRow(y + at, dy + at, streams, dx + at, cols);
      else
        softmaxBackwardRow(y + at, dy + at, streams, dx + at, cols);
    }
    fenceStreams();
  });
}

}  // namespace anneal::ANNEAL_ISA
