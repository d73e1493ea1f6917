// softmax_cross_entropy and its backward on CUDA (contract: softmax_cross_entropy.h). 4 bytes an item for the loss, 8 for a gradient, dense
// targets 4 more, about 15 flops: memory binds.
//
// cross_entropy_*   A team a row (rows.cuh): maximum, then exponentials, their sum and the sums over coefficients, then, where asked for, the gradient,
//             from exponentials that waited in registers: logits are read once, up to 8,192 classes.
// row_weights  With the mean, first: the sum of the rows' weights, in at most 32 parts, which the gradient divides by.
// row_sums     The rows' losses, in parts and then in all, in one order.
// cross_entropy_backward_*  One pass, by the function that writes the forward's gradient: the same bits.
//
// A target that is no class cannot be refused here, where nobody would hear of it: the row's loss and gradient are NaN.
#include "softmax_cross_entropy.cuda.h"
#include "../common/rows.cuh"

namespace anneal::cuda {
namespace {

constexpr int kSumThreads = 1024;
constexpr float kNaN = __builtin_nanf("");

// A row's target: a class, or -1 for a dense one.
struct Target {
  const CrossEntropyRows& rows;
  int64_t hit = -1;
  bool ignored = false, wrong = false;

  ANNEAL_GPU Target(const CrossEntropyRows& r, int64_t row) : rows(r) {
    if (!r.indices.present() || row >= r.params.rows) return;
    const int32_t index = r.indices[row];
    ignored = index == r.params.ignoreIndex;
    wrong = !ignored && static_cast<uint32_t>(index) >= r.params.classes;
    hit = ignored || wrong ? -1 : index;
  }
  ANNEAL_GPU float weightOfHit() const { return hit >= 0 && rows.classWeights.present() ? rows.classWeights[hit] : 1.0f; }
  // Of the row in the mean.
  ANNEAL_GPU float weight() const { return ignored ? 0.0f : wrong ? kNaN : weightOfHit(); }
};

// The coefficients of -log p_c of four classes; of a single class that was hit only what smoothing gives it, since beside the many small shares
// its own would be rounded again and again.
template <class Walk> ANNEAL_GPU Four coefficients(const Walk& walk, const CrossEntropyRows& rows, int64_t c) {
  Four a = {{rows.spread, rows.spread, rows.spread, rows.spread}};
  if (rows.dense.present()) {
    const Four t = walk.load(rows.dense, walk.start, c, 0);
    a = eachOf([&](int i) { return walk.has(c, i) ? __fmaf_rn(rows.keep, t.item[i], rows.spread) : 0.0f; });
  }
  if (!rows.classWeights.present()) return a;
  const Four w = walk.load(rows.classWeights, 0, c, 0);
  return eachOf([&](int i) { return __fmul_rn(w.item[i], a.item[i]); });
}

// Whether coefficients are read; else each class has the same, but for the one that was hit.
ANNEAL_GPU bool reads(const CrossEntropyRows& rows) { return rows.dense.present() || rows.classWeights.present(); }

// A, the sum of all coefficients, from that of what `coefficients` gave the classes.
ANNEAL_GPU float allOf(const Target& target, float sum) {
  if (target.rows.dense.present() || target.hit < 0) return sum;
  return __fmaf_rn(target.weightOfHit(), target.rows.keep, sum);
}

// d (A p_c - a_c) of four classes, with p_c = e^(x_c - m) r, from e^(x - m) and a without what is the hit class's own.
template <class Walk>
ANNEAL_GPU Four gradient(const Walk& walk, const Target& target, int64_t c, const Four& e, const Four& a, float all, float r, float d,
                         float own) {
  return eachOf([&](int i) {
    if (target.ignored) return 0.0f;
    if (target.wrong) return kNaN;
    const float coefficient = walk.column(c, i) == target.hit ? __fadd_rn(a.item[i], own) : a.item[i];
    return __fmul_rn(d, __fmaf_rn(all, __fmul_rn(e.item[i], r), -coefficient));
  });
}

// `exponential(k, c)` gives four of e^(x - m), those that were kept where it can; k is Kept, and nothing was, where coefficients are read.
template <int Kept, class Walk, class Exponential>
ANNEAL_GPU void writeGradient(const Walk& walk, const Target& target, const Span<float>& dlogits, float all, float r, float d,
                              Exponential exponential) {
  const CrossEntropyRows& rows = target.rows;
  const float own = __fmul_rn(target.weightOfHit(), rows.keep);
  if (reads(rows)) {
    walk.loop([&](int64_t c) {
      const Four a = coefficients(walk, rows, c);
      walk.store(dlogits, walk.start, c, gradient(walk, target, c, exponential(Kept, c), a, all, r, d, own));
    });
    return;
  }
  const Four a = {{rows.spread, rows.spread, rows.spread, rows.spread}};
  walk.each([&](int k, int64_t c) { walk.store(dlogits, walk.start, c, gradient(walk, target, c, exponential(k, c), a, all, r, d, own)); });
}

// The same parts in the same order wherever it is taken.
ANNEAL_GPU float divisorOf(const Span<const float>& parts) {
  float sum = 0;
  for (int64_t i = 0; i < parts.size; ++i) sum += parts[i];
  return sum;
}

template <int Threads, int Kept, bool Vectors> ANNEAL_GPU void forward(const CrossEntropyArgs& args) {
  using Walk = RowWalk<Threads, Kept, Vectors>;
  const CrossEntropyRows& rows = args.rows;
  const Walk walk = walkOf<Walk, Threads>(rows.params.rows, rows.params.classes);
  const int64_t row = teamIndex<Threads>();
  const Target target(rows, row);
  Four kept[Kept];
  float largest = -INFINITY;
  walk.each([&](int k, int64_t c) {
    const Four x = walk.load(rows.logits, walk.start, c, -INFINITY);
    if (k < Kept) kept[k] = x;
    // A NaN is passed over here, and met by the sum.
    largest = fmaxf(fmaxf(largest, fmaxf(x.item[0], x.item[1])), fmaxf(x.item[2], x.item[3]));
  });
  largest = teamMax<Threads>(largest);

  // Sums of e^(x - m), of the coefficients a_c, and of a_c (x - m).
  const bool smooth = rows.params.labelSmoothing > 0, spreads = rows.dense.present() || smooth;
  LongSum exponentials, products;
  walk.each([&](int k, int64_t c) {
    const Four x = k < Kept ? kept[k] : walk.load(rows.logits, walk.start, c, -INFINITY);
    const Four shifted = eachOf([&](int i) { return x.item[i] - largest; });
    const Four e = eachOf([&](int i) { return expf(shifted.item[i]); });
    if (k < Kept) kept[k] = e;
    exponentials.add(e);
    if (smooth) products.add(eachOf([&](int i) { return walk.has(c, i) ? shifted.item[i] : 0.0f; }));
  });
  const float sum = teamSum<Threads>(exponentials.end()), logSum = logf(sum), r = 1.0f / sum;
  float all = rows.params.labelSmoothing, product = 0;
  if (reads(rows)) {
    LongSum coefficientSums;
    products = LongSum();
    walk.loop([&](int64_t c) {
      const Four a = coefficients(walk, rows, c), x = walk.load(rows.logits, walk.start, c, 0);
      coefficientSums.add(a);
      if (spreads) products.add(eachOf([&](int i) { return walk.has(c, i) ? a.item[i] * (x.item[i] - largest) : 0.0f; }));
    });
    all = teamSum<Threads>(coefficientSums.end());
    product = teamSum<Threads>(products.end());
  } else if (smooth) product = rows.spread * teamSum<Threads>(products.end());

  if (walk.cols > 0 && teamLane<Threads>() == 0) {
    float loss = 0;
    if (target.wrong) loss = kNaN;
    else if (!target.ignored) {
      if (spreads) loss = all * logSum - product;
      if (target.hit >= 0) loss += target.weightOfHit() * rows.keep * (logSum - (rows.logits[walk.start + target.hit] - largest));
    }
    args.rowLoss[row] = loss;
    args.normalizers[2 * row] = largest;
    args.normalizers[2 * row + 1] = r;
    args.weight[row] = target.weight();
  }
  if (!args.dlogits.present()) return;
  const float d = args.weightParts.present() ? 1.0f / divisorOf(args.weightParts) : 1.0f;
  writeGradient<Kept>(walk, target, args.dlogits, allOf(target, all), r, d, [&](int k, int64_t c) {
    if (k < Kept) return kept[k];
    const Four x = walk.load(rows.logits, walk.start, c, 0);
    return eachOf([&](int i) { return expf(x.item[i] - largest); });
  });
}

template <int Threads, int Kept, bool Vectors> ANNEAL_GPU void backward(const CrossEntropyBackwardArgs& args) {
  using Walk = RowWalk<Threads, Kept, Vectors>;
  const CrossEntropyRows& rows = args.rows;
  const Walk walk = walkOf<Walk, Threads>(rows.params.rows, rows.params.classes);
  const int64_t row = teamIndex<Threads>();
  const Target target(rows, row);
  float all = rows.params.labelSmoothing;
  if (reads(rows)) {
    LongSum sum;
    walk.loop([&](int64_t c) { sum.add(coefficients(walk, rows, c)); });
    all = teamSum<Threads>(sum.end());
  }
  if (walk.cols == 0) return;
  const float m = args.normalizers[2 * row], r = args.normalizers[2 * row + 1];
  const bool none = rows.params.reduction == static_cast<uint32_t>(CrossEntropyReduction::none);
  float d = args.dLoss[none ? row : 0];
  if (args.divisor.present()) d /= args.divisor[0];
  writeGradient<Kept>(walk, target, args.dlogits, allOf(target, all), r, d, [&](int, int64_t c) {
    const Four x = walk.load(rows.logits, walk.start, c, 0);
    return eachOf([&](int i) { return expf(x.item[i] - m); });
  });
}

template <int Threads, int Kept> ANNEAL_GPU void forwardRow(const CrossEntropyArgs& args) {
  if (args.rows.vectors != 0) forward<Threads, Kept, true>(args);
  else forward<Threads, Kept, false>(args);
}
template <int Threads, int Kept> ANNEAL_GPU void backwardRow(const CrossEntropyBackwardArgs& args) {
  if (args.rows.vectors != 0) backward<Threads, Kept, true>(args);
  else backward<Threads, Kept, false>(args);
}

// Of f(i) for begin <= i < end, by a block.
template <class F> ANNEAL_GPU float blockSumOf(int64_t begin, int64_t end, F f) {
  LongSum sum;
  for (int64_t i = begin + threadIdx.x; i < end; i += 4 * kSumThreads)
    sum.add(eachOf([&](int k) { return i + k * kSumThreads < end ? f(i + k * kSumThreads) : 0.0f; }));
  return teamSum<kSumThreads>(sum.end());
}

ANNEAL_GPU int64_t endOf(int64_t begin, int64_t partLength, int64_t count) {
  return begin + partLength < count ? begin + partLength : count;
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) cross_entropy_8(const CrossEntropyArgs args) { forwardRow<8, 1>(args); }
extern "C" __global__ void __launch_bounds__(256) cross_entropy_32(const CrossEntropyArgs args) { forwardRow<32, 8>(args); }
// Two blocks a multiprocessor: told so, ptxas spills nothing; by itself it spilled 12 bytes (CUDA 13.0).
extern "C" __global__ void __launch_bounds__(256, 2) cross_entropy_256(const CrossEntropyArgs args) { forwardRow<256, 8>(args); }

extern "C" __global__ void __launch_bounds__(256) cross_entropy_backward_8(const CrossEntropyBackwardArgs args) { backwardRow<8, 1>(args); }
extern "C" __global__ void __launch_bounds__(256) cross_entropy_backward_32(const CrossEntropyBackwardArgs args) { backwardRow<32, 8>(args); }
extern "C" __global__ void __launch_bounds__(256) cross_entropy_backward_256(const CrossEntropyBackwardArgs args) { backwardRow<256, 4>(args); }

extern "C" __global__ void __launch_bounds__(1024) row_weights(const RowWeightsArgs args) {
  const int64_t begin = blockIdx.x * args.partLength, end = endOf(begin, args.partLength, args.rows.params.rows);
  const float sum = blockSumOf(begin, end, [&](int64_t row) { return Target(args.rows, row).weight(); });
  if (threadIdx.x == 0) args.weightParts[blockIdx.x] = sum;
}

extern "C" __global__ void __launch_bounds__(1024) row_sums(const RowSumsArgs args) {
  const int64_t begin = blockIdx.x * args.partLength, end = endOf(begin, args.partLength, args.x.size);
  float sum = blockSumOf(begin, end, [&](int64_t i) { return args.x[i]; });
  if (threadIdx.x != 0) return;
  if (args.divisor.present()) {
    const float divisor = divisorOf(args.weightParts);
    args.divisor[0] = divisor;
    sum /= divisor;
  }
  args.out[blockIdx.x] = sum;
}

}  // namespace anneal::cuda
