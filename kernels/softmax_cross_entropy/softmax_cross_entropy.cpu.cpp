// CPU bodies of softmax_cross_entropy: three passes over a row that stays in the L1 cache; smoothing adds one, and so
// does a dense target.
#include "softmax_cross_entropy.h"

#include "../common/parallel.h"
#include "../softmax/row.h"

namespace anneal::ANNEAL_ISA {
namespace {

struct Context {
  int64_t classes;
  float keep;       // 1 - e
  float spread;     // e / C
  bool dense;
  int32_t ignoreIndex;
  const float* weights;  // or nullptr
  double weightSum;      // sum of w_c, or C
  const int32_t* index;  // targets: one of the two
  const float* probabilities;

  Context(const OpCall& call, uint32_t target, uint32_t weightOperand) {
    const auto& p = call.as<SoftmaxCrossEntropyParams>();
    classes = p.classes;
    keep = 1.0f - p.labelSmoothing;
    spread = p.labelSmoothing / static_cast<float>(p.classes);
    dense = p.dense != 0;
    ignoreIndex = p.ignoreIndex;
    weights = weightOperand < call.nIn ? call.input<float>(weightOperand) : nullptr;
    weightSum = static_cast<double>(classes);
    if (weights != nullptr)
      weightSum = sumRow(classes, [&](int64_t i, int lanes) { return loadLanes(weights + i, lanes, 0.0f); });
    index = dense ? nullptr : call.input<int32_t>(target);
    probabilities = dense ? call.input<float>(target) : nullptr;
  }

  int32_t targetOf(int64_t row) const {
    const int32_t t = index[row];
    if (t != ignoreIndex && (t < 0 || t >= classes))
      raise(Code::range, "expected targets in [0, %lld), received %d in row %lld", static_cast<long long>(classes), t,
            static_cast<long long>(row));
    return t;
  }

  // Weights from class i on; the lanes not in use are 0.
  vf weightsAt(int64_t i, int lanes) const {
    return weights != nullptr ? loadLanes(weights + i, lanes, 0.0f) : splat(1.0f);
  }

  // Coefficients of -log p for a dense target.
  vf coefficientsAt(int64_t row, int64_t i, int lanes) const {
    return weightsAt(i, lanes) * (splat(keep) * loadLanes(probabilities + row * classes + i, lanes, 0.0f) + splat(spread));
  }
};

// The lanes in use; 0 in the others.
vf usedLanes(vf v, int lanes) {
  if (lanes == kLanes) return v;
  alignas(64) float used[kLanes] = {};
  storePartial(used, v, lanes);
  return load(used);
}

// sum of a_c (ln s - (x_c - m)), both factors lane by lane.
template <class F>
double weightedLoss(const float* x, int64_t n, float m, float logSum, const F& coefficients) {
  return sumRow(n, [&](int64_t i, int lanes) {
    return usedLanes(coefficients(i, lanes) * (splat(logSum) - (loadLanes(x + i, lanes, m) - splat(m))), lanes);
  });
}

// Over the rows of a block, then over all blocks, for the reductions.
struct Totals {
  double loss = 0, weight = 0;
};

void forwardRow(const Context& context, const float* x, int64_t row, float& loss, float& lse, float& weight) {
  const int64_t n = context.classes;
  const float m = rowMaximum(x, n);
  const float logSum = static_cast<float>(__builtin_log(sumOfExponentials(x, n, m)));
  lse = m + logSum;
  if (context.dense) {
    weight = 1.0f;
    loss = static_cast<float>(weightedLoss(
        x, n, m, logSum, [&](int64_t i, int lanes) { return context.coefficientsAt(row, i, lanes); }));
    return;
  }
  const int32_t t = context.targetOf(row);
  if (t == context.ignoreIndex) {
    loss = 0.0f;
    weight = 0.0f;
    return;
  }
  weight = context.weights != nullptr ? context.weights[t] : 1.0f;
  loss = context.keep * weight * (logSum - (x[t] - m));
  if (context.spread > 0.0f) {
    const double smooth =
        weightedLoss(x, n, m, logSum, [&](int64_t i, int lanes) { return context.weightsAt(i, lanes); });
    loss += context.spread * static_cast<float>(smooth);
  }
}

void backwardRow(const Context& context, const float* x, int64_t row, float lse, float dLoss, bool streams, float* dx) {
  const int64_t n = context.classes;
  const vf shift = splat(lse), scale = splat(dLoss);
  if (context.dense) {
    const vf total = splat(static_cast<float>(sumRow(
        n, [&](int64_t i, int lanes) { return usedLanes(context.coefficientsAt(row, i, lanes), lanes); })));
    eachVectorTo(dx, streams, n, [&](int64_t i, int lanes, auto stores) {
      const vf p = exp(loadLanes(x + i, lanes, lse) - shift);
      putLanes(stores, dx + i, scale * (total * p - context.coefficientsAt(row, i, lanes)), lanes);
    });
    return;
  }
  const int32_t t = context.targetOf(row);
  if (t == context.ignoreIndex) {
    overRow(n, [&](int64_t i, int lanes) { storeLanes(dx + i, splat(0.0f), lanes); });
    return;
  }
  const float weight = context.weights != nullptr ? context.weights[t] : 1.0f;
  const vf total = splat(context.keep * weight + context.spread * static_cast<float>(context.weightSum));
  const vf spread = splat(context.spread), kept = splat(context.keep * weight);
  vi lane;
  for (int k = 0; k < kLanes; ++k) lane[k] = k - t;
  eachVectorTo(dx, streams, n, [=, &context](int64_t i, int lanes, auto stores) {
    const vf q = exp(loadLanes(x + i, lanes, lse) - shift);
    const vf coefficient = spread * context.weightsAt(i, lanes) + select(lane == splati(static_cast<int32_t>(-i)), kept, vf{});
    putLanes(stores, dx + i, scale * (total * q - coefficient), lanes);
  });
}

}  // namespace

void softmax_cross_entropy(const OpCall& call) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  const auto reduction = static_cast<CrossEntropyReduction>(p.reduction);
  const bool reduces = reduction != CrossEntropyReduction::none;
  Totals whole;
  if (p.rows > 0) {
    const Context context(call, 1, 2);
    const float* logits = call.input<float>(0);
    float* loss = call.output<float>(0);
    float* lse = call.output<float>(1);
    float* weight = call.output<float>(2);
    const int64_t grain = kRowTaskItems / context.classes + 1, blocks = (p.rows + grain - 1) / grain;
    auto* const totals =
        reduces ? static_cast<Totals*>(call.exec.scratch(Exec::kShared, 0, static_cast<size_t>(blocks) * sizeof(Totals)))
                : nullptr;
    parallelRange(call.exec, p.rows, grain, [&](int64_t begin, int64_t end, int) {
      Totals block;
      for (int64_t r = begin; r < end; ++r) {
        float rowLoss;
        forwardRow(context, logits + r * context.classes, r, rowLoss, lse[r], weight[r]);
        if (!reduces) loss[r] = rowLoss;
        block.loss += static_cast<double>(rowLoss);
        block.weight += static_cast<double>(weight[r]);
      }
      if (reduces) totals[begin / grain] = block;
    });
    for (int64_t i = 0; reduces && i < blocks; ++i) {
      whole.loss += totals[i].loss;
      whole.weight += totals[i].weight;
    }
  }
  if (reduction == CrossEntropyReduction::sum) call.output<float>(0)[0] = static_cast<float>(whole.loss);
  if (reduction == CrossEntropyReduction::mean) {
    call.output<float>(0)[0] = static_cast<float>(whole.loss / whole.weight);
    call.output<float>(3)[0] = static_cast<float>(whole.weight);
  }
}

void softmax_cross_entropy_backward(const OpCall& call) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  if (p.rows == 0) return;
  const Context context(call, 2, 3);
  const float* logits = call.input<float>(0);
  const float* lse = call.input<float>(1);
  const float* dLoss = call.input<float>(4);
  const bool reduces = p.reduction != static_cast<uint32_t>(CrossEntropyReduction::none);
  const float divisor = call.nIn == 6 ? call.input<float>(5)[0] : 1.0f;
  const float dEach = reduces ? dLoss[0] / divisor : 0.0f;
  float* dlogits = call.output<float>(0);
  const bool streams = wantsStreams(call);
  parallelRange(call.exec, p.rows, kRowTaskItems / context.classes + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = r * context.classes;
      backwardRow(context, logits + at, r, lse[r], reduces ? dEach : dLoss[r], streams, dlogits + at);
    }
    fenceStreams();
  });
}

}  // namespace anneal::ANNEAL_ISA
