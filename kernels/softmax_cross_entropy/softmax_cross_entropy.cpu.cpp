// CPU bodies of softmax_cross_entropy: the exponentials of a row are summed while the next row comes in for its
// maximum; smoothing adds a pass over the row in the L1 cache, and so does a dense target.
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
      weightSum = sumRow(classes, [&](int64_t i, int lanes, int) { return loadLanes(weights + i, lanes, 0.0f); });
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
  return sumRow(n, [&](int64_t i, int lanes, int) {
    return usedLanes(coefficients(i, lanes) * (splat(logSum) - (loadLanes(x + i, lanes, m) - splat(m))), lanes);
  });
}

// Over the rows of a block, then over all blocks, for the reductions.
struct Totals {
  double loss = 0, weight = 0;
};

// m: the row's maximum; next: see eachRowWithMaximum.
template <class Next>
void forwardRow(const Context& context, const float* x, float m, const Next& next, int64_t row, float& loss, float& lse,
                float& weight) {
  const int64_t n = context.classes;
  const double total = sumRow(n, [&](int64_t i, int lanes, int k) {
    next(i, lanes, k);
    return expOfDifference(loadLanes(x + i, lanes, -__builtin_inff()) - splat(m));
  });
  const float logSum = static_cast<float>(__builtin_log(total));
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
  const vf shift = splat(lse);
  if (context.dense) {
    const vf scale = splat(dLoss);
    const vf total = splat(static_cast<float>(sumRow(
        n, [&](int64_t i, int lanes, int) { return usedLanes(context.coefficientsAt(row, i, lanes), lanes); })));
    eachVectorTo(dx, streams, n, [&](int64_t i, int lanes, auto stores) {
      const vf p = expOfDifference(loadLanes(x + i, lanes, lse) - shift);
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
  const float kept = context.keep * weight;
  const vf total = splat(dLoss * (kept + context.spread * static_cast<float>(context.weightSum)));
  vi lane;
  for (int k = 0; k < kLanes; ++k) lane[k] = k - t;
  const auto isTarget = [=](int64_t i) { return lane == splati(static_cast<int32_t>(-i)); };
  const auto write = [=](const auto& coefficient) {  // dLoss a_c
    eachVectorTo(dx, streams, n, [=](int64_t i, int lanes, auto stores) {
      const vf p = expOfDifference(loadLanes(x + i, lanes, lse) - shift);
      putLanes(stores, dx + i, total * p - coefficient(i, lanes), lanes);
    });
  };
  const vf one = splat(dLoss * kept), each = splat(dLoss * context.spread);
  if (context.weights == nullptr)
    write([=, both = one + each](int64_t i, int) { return select(isTarget(i), both, each); });
  else
    write([=, &context](int64_t i, int lanes) {
      return each * context.weightsAt(i, lanes) + select(isTarget(i), one, vf{});
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
      eachRowWithMaximum(logits, begin, end, context.classes, [&](int64_t r, float m, const auto& next) {
        float rowLoss;
        forwardRow(context, logits + r * context.classes, m, next, r, rowLoss, lse[r], weight[r]);
        if (!reduces) loss[r] = rowLoss;
        block.loss += static_cast<double>(rowLoss);
        block.weight += static_cast<double>(weight[r]);
      });
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
