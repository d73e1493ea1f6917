// CPU bodies of softmax_cross_entropy: the exponentials of a row are summed while the next row comes in for its
// maximum; smoothing adds a pass over the row in the L1 cache, and so does a dense target. Where the gradient is asked for
// too, they are kept beside, and a pass over them writes it once their sum is known. What divides a mean, the sum of the
// weights, comes from a pass over the targets before all that.
#include "softmax_cross_entropy.h"

#include "../common/parallel.h"
#include "../softmax/row.h"

namespace anneal::ANNEAL_ISA {
namespace {

// An exponential or coefficient as it would be stored. Without this, compilers may leave a product within it to the addition
// that follows (a fused multiply-add does not round it), and not in the other body, which stores it first or adds in
// another order: the same bits are promised for both.
vf rounded(vf v) {
#if defined(__aarch64__)
  asm("" : "+w"(v));
#elif defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__FMA__)
  asm("" : "+x"(v));
#endif
  return v;
}

// e^(x - m) for up to a vector of a row from `x` on; 0 in the lanes not in use.
vf exponentials(const float* x, int lanes, float m) {
  return rounded(expOfDifference(loadLanes(x, lanes, -__builtin_inff()) - splat(m)));
}

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
    const vf target = loadLanes(probabilities + row * classes + i, lanes, 0.0f);
    return rounded(weightsAt(i, lanes) * (splat(keep) * target + splat(spread)));
  }

  // In the mean.
  float weightOf(int64_t row) const {
    if (dense) return 1.0f;
    const int32_t t = targetOf(row);
    return t == ignoreIndex ? 0.0f : weights != nullptr ? weights[t] : 1.0f;
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

// The maximum of a row, and 1 over the sum of its exponentials from there.
struct Normalizer {
  float m, r;
};

// Writes the normalizer of row `row` and returns its loss. m: the row's maximum; next: see eachRowWithMaximum; weight:
// that of the row; kept: nullptr, or where the exponentials go, with room for whole vectors.
template <bool keeps, class Next>
float forwardRow(const Context& context, const float* x, float m, const Next& next, int64_t row, float weight,
                 float* kept, Normalizer& normalizer) {
  const int64_t n = context.classes;
  const double total = sumRow(n, [&](int64_t i, int lanes, int k) {
    next(i, lanes, k);
    const vf e = exponentials(x + i, lanes, m);
    if constexpr (keeps) store(kept + i, e);
    return e;
  });
  normalizer = {m, static_cast<float>(1 / total)};
  const float logSum = static_cast<float>(__builtin_log(total));
  if (context.dense)
    return static_cast<float>(weightedLoss(
        x, n, m, logSum, [&](int64_t i, int lanes) { return context.coefficientsAt(row, i, lanes); }));
  const int32_t t = context.index[row];
  if (t == context.ignoreIndex) return 0.0f;
  float loss = context.keep * weight * (logSum - (x[t] - m));
  if (context.spread > 0.0f) {
    const double smooth =
        weightedLoss(x, n, m, logSum, [&](int64_t i, int lanes) { return context.weightsAt(i, lanes); });
    loss += context.spread * static_cast<float>(smooth);
  }
  return loss;
}

// dx_c = d (A r e_c - a_c) with e_c from exponential(class, lanes in use); t: the target, unless it is dense.
template <class E>
void gradientRow(const Context& context, const E& exponential, int64_t row, int32_t t, float r, float d, bool streams,
                 float* dx) {
  const int64_t n = context.classes;
  if (context.dense) {
    const vf scale = splat(d);
    const vf total = splat(r * static_cast<float>(sumRow(
        n, [&](int64_t i, int lanes, int) { return usedLanes(context.coefficientsAt(row, i, lanes), lanes); })));
    eachVectorTo(dx, streams, n, [&](int64_t i, int lanes, auto stores) {
      putLanes(stores, dx + i, scale * (total * exponential(i, lanes) - context.coefficientsAt(row, i, lanes)), lanes);
    });
    return;
  }
  if (t == context.ignoreIndex) {
    overRow(n, [&](int64_t i, int lanes) { storeLanes(dx + i, splat(0.0f), lanes); });
    return;
  }
  const float atTarget = context.weights != nullptr ? context.keep * context.weights[t] : context.keep;
  const vf total = splat(d * (atTarget + context.spread * static_cast<float>(context.weightSum)) * r);
  vi lane;
  for (int k = 0; k < kLanes; ++k) lane[k] = k - t;
  const auto isTarget = [=](int64_t i) { return lane == splati(static_cast<int32_t>(-i)); };
  const auto write = [=](const auto& coefficient) {  // d a_c
    eachVectorTo(dx, streams, n, [=](int64_t i, int lanes, auto stores) {
      putLanes(stores, dx + i, total * exponential(i, lanes) - coefficient(i, lanes), lanes);
    });
  };
  const vf each = splat(d * context.spread);
  if (context.weights == nullptr)
    write([=, both = splat(d * (context.keep + context.spread))](int64_t i, int) {
      return select(isTarget(i), both, each);
    });
  else
    write([=, &context, one = splat(d * atTarget)](int64_t i, int lanes) {
      return each * context.weightsAt(i, lanes) + select(isTarget(i), one, vf{});
    });
}

}  // namespace

void softmax_cross_entropy(const OpCall& call) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  const auto reduction = static_cast<CrossEntropyReduction>(p.reduction);
  const bool reduces = reduction != CrossEntropyReduction::none;
  double wholeLoss = 0, wholeWeight = 0;
  if (p.rows > 0) {
    const Context context(call, 1, 2);
    const float* logits = call.input<float>(0);
    float* loss = call.output<float>(0);
    auto* normalizers = call.output<Normalizer>(1);
    float* weight = call.output<float>(2);
    float* dlogits = call.nOut > 4 ? call.output<float>(4) : nullptr;
    const int64_t n = context.classes, grain = kRowTaskItems / n + 1, blocks = (p.rows + grain - 1) / grain;
    auto* const blockSum =
        static_cast<double*>(call.exec.scratch(Exec::kShared, 0, static_cast<size_t>(blocks) * sizeof(double)));
    const auto total = [&] {
      double sum = 0;
      for (int64_t i = 0; i < blocks; ++i) sum += blockSum[i];
      return sum;
    };
    parallelRange(call.exec, p.rows, grain, [&](int64_t begin, int64_t end, int) {
      double sum = 0;
      for (int64_t row = begin; row < end; ++row) sum += static_cast<double>(weight[row] = context.weightOf(row));
      blockSum[begin / grain] = sum;
    });
    wholeWeight = total();
    const float d = reduction == CrossEntropyReduction::mean ? 1.0f / static_cast<float>(wholeWeight) : 1.0f;
    const bool streams = dlogits != nullptr && wantsStreams(call);
    parallelRange(call.exec, p.rows, grain, [&](int64_t begin, int64_t end, int worker) {
      double sum = 0;
      if (dlogits == nullptr) {
        eachRowWithMaximum(logits, begin, end, n, [&](int64_t row, float m, const auto& next) {
          const float rowLoss = forwardRow<false>(context, logits + row * n, m, next, row, weight[row], nullptr,
                                                  normalizers[row]);
          if (!reduces) loss[row] = rowLoss;
          sum += static_cast<double>(rowLoss);
        });
      } else {
        auto* kept = static_cast<float*>(call.exec.scratch(worker, 1, static_cast<size_t>(n + kLanes) * sizeof(float)));
        const auto stored = [kept](int64_t i, int) { return load(kept + i); };
        eachRowWithMaximum(logits, begin, end, n, [&](int64_t row, float m, const auto& next) {
          sum += static_cast<double>(forwardRow<true>(context, logits + row * n, m, next, row, weight[row], kept,
                                                      normalizers[row]));
          gradientRow(context, stored, row, context.dense ? 0 : context.index[row], normalizers[row].r, d, streams,
                      dlogits + row * n);
        });
      }
      blockSum[begin / grain] = sum;
      if (streams) fenceStreams();
    });
    wholeLoss = total();
  }
  if (reduction == CrossEntropyReduction::sum) call.output<float>(0)[0] = static_cast<float>(wholeLoss);
  if (reduction == CrossEntropyReduction::mean) {
    call.output<float>(0)[0] = static_cast<float>(wholeLoss / wholeWeight);
    call.output<float>(3)[0] = static_cast<float>(wholeWeight);
  }
}

void softmax_cross_entropy_backward(const OpCall& call) {
  const auto& p = call.as<SoftmaxCrossEntropyParams>();
  if (p.rows == 0) return;
  const Context context(call, 2, 3);
  const float* logits = call.input<float>(0);
  const auto* normalizers = call.input<Normalizer>(1);
  const float* dLoss = call.input<float>(4);
  const bool reduces = p.reduction != static_cast<uint32_t>(CrossEntropyReduction::none);
  const float divisor = call.nIn == 6 ? call.input<float>(5)[0] : 1.0f;
  const float dEach = reduces ? dLoss[0] / divisor : 0.0f;
  float* dlogits = call.output<float>(0);
  const bool streams = wantsStreams(call);
  const int64_t n = context.classes;
  parallelRange(call.exec, p.rows, kRowTaskItems / n + 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = logits + row * n;
      const auto [m, r] = normalizers[row];
      const int32_t t = context.dense ? 0 : context.targetOf(row);
      const auto exponential = [x, m = m](int64_t i, int lanes) { return exponentials(x + i, lanes, m); };
      gradientRow(context, exponential, row, t, r, reduces ? dEach : dLoss[row], streams,
                  dlogits + row * n);
    }
    fenceStreams();
  });
}

}  // namespace anneal::ANNEAL_ISA
