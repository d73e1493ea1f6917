// Batch normalisation on the CPU: a pass for the sums of each channel, a pass that writes the result.
#include "../common/parallel.h"
#include "../common/stream.h"
#include "batch_norm.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kBlockRows = 128;  // rows summed in f32 before going to double: 32 KiB a group, read twice from the L1
constexpr int64_t kTaskElements = 1 << 15;
constexpr int kVectors = 4;  // of channels at a time: two to four whole cache lines of a row

static inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A few neighbouring channels: `parts` vectors, or one channel by itself (Lanes<0>).
template <int kWidth> struct Lanes {
  static constexpr int parts = kWidth;
  vf v[kWidth];
  static inline Lanes at(const float* p) {
    Lanes r;
    for (int i = 0; i < kWidth; ++i) r.v[i] = load(p + i * kLanes);
    return r;
  }
  static inline Lanes all(float x) {
    Lanes r;
    for (int i = 0; i < kWidth; ++i) r.v[i] = splat(x);
    return r;
  }
  inline void to(float* p) const { to(p, PlainStores{}); }
  template <class Stores> inline void to(float* p, Stores stores) const {
    for (int i = 0; i < kWidth; ++i) stores.put(p + i * kLanes, v[i]);
  }
};
template <> struct Lanes<0> {
  static constexpr int parts = 1;
  float v[1];
  static inline Lanes at(const float* p) { return {{*p}}; }
  static inline Lanes all(float x) { return {{x}}; }
  inline void to(float* p) const { *p = v[0]; }
  template <class Stores> inline void to(float* p, Stores) const { *p = v[0]; }
};

// f(width tag, first channel) for groups of channels that cover [0, channels).
template <class F> static inline void eachGroup(int64_t channels, const F& f) {
  int64_t c = 0;
  for (; c + kVectors * kLanes <= channels; c += kVectors * kLanes) f(Lanes<kVectors>{}, c);
  for (; c + kLanes <= channels; c += kLanes) f(Lanes<1>{}, c);
  for (; c < channels; ++c) f(Lanes<0>{}, c);
}

// The sum and the squared deviations from their mean of each channel, over `rows` rows. Meanwhile the block at `next` is
// fetched into the second-level cache: the second pass leaves the way from memory free.
template <class L>
static inline void blockMoments(const float* x, int64_t rows, int64_t channels, const float* next, float* sums,
                                float* squares) {
  L total = L::all(0.0f), square = L::all(0.0f);
  for (int64_t i = 0; i < rows; ++i) {
    const L v = L::at(x + i * channels);
    for (int k = 0; k < L::parts; ++k) total.v[k] += v.v[k];
  }
  const L count = L::all(static_cast<float>(rows));
  L mean;
  for (int k = 0; k < L::parts; ++k) mean.v[k] = total.v[k] / count.v[k];
  for (int64_t i = 0; i < rows; ++i) {
    const L v = L::at(x + i * channels);
    for (int k = 0; k < L::parts; ++k) __builtin_prefetch(next + i * channels + k * kLanes, 0, 2);
    for (int k = 0; k < L::parts; ++k) square.v[k] += (v.v[k] - mean.v[k]) * (v.v[k] - mean.v[k]);
  }
  total.to(sums);
  square.to(squares);
}

// sum of dy and of dy * (x - mean) * rstd.
template <class L>
static inline void blockProducts(const float* dy, const float* x, const float* mean, const float* rstd, int64_t rows,
                                 int64_t channels, float* sums, float* products) {
  const L m = L::at(mean), r = L::at(rstd);
  L total = L::all(0.0f), product = L::all(0.0f);
  for (int64_t i = 0; i < rows; ++i) {
    const L d = L::at(dy + i * channels), v = L::at(x + i * channels);
    for (int k = 0; k < L::parts; ++k) {
      total.v[k] += d.v[k];
      product.v[k] += d.v[k] * ((v.v[k] - m.v[k]) * r.v[k]);
    }
  }
  total.to(sums);
  product.to(products);
}

// Runs f(first row, rows, sums, others) for each block of rows and returns the array [block][2][channels] of what it
// wrote to sums and others.
template <class F>
static inline const float* eachBlock(const OpCall& call, int64_t rows, int64_t channels, const F& f) {
  const int64_t blocks = ceilDiv(rows, kBlockRows);
  const size_t bytes = static_cast<size_t>(blocks * 2 * channels) * sizeof(float);
  auto* partials = static_cast<float*>(call.exec.scratch(Exec::kShared, 0, bytes));
  const int64_t grain = kTaskElements / (kBlockRows * channels);
  parallelRange(call.exec, blocks, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * kBlockRows, count = rows - first < kBlockRows ? rows - first : kBlockRows;
      f(first, count, partials + b * 2 * channels, partials + (b * 2 + 1) * channels);
    }
  });
  return partials;
}

// The sums of `partials` over the blocks, in order: totals[2][channels].
static inline void addBlocks(const float* partials, int64_t blocks, int64_t channels, double* totals) {
  for (int64_t i = 0; i < 2 * channels; ++i) totals[i] = 0;
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t i = 0; i < 2 * channels; ++i) totals[i] += static_cast<double>(partials[b * 2 * channels + i]);
}

// f(begin, end, stores) over rows, for the pass that writes output 0.
template <class F> static inline void eachRows(const OpCall& call, int64_t rows, int64_t channels, const F& f) {
  withStores(channels % kLanes == 0 && onBoundary(call.out[0].data) && wantsStreams(call), [&](auto stores) {
    parallelRange(call.exec, rows, kTaskElements / channels, [&](int64_t begin, int64_t end, int) {
      f(begin, end, stores);
      fenceStreams();
    });
  });
}

// mean and 1 / sqrt(var + eps) of each channel from the batch, and the running statistics.
static inline void batchStatistics(const OpCall& call, const float* x, float* mean, float* rstd) {
  const auto& p = call.as<BatchNormParams>();
  const int64_t rows = p.rows, channels = p.channels, blocks = ceilDiv(rows, kBlockRows);
  float* runningMean = call.nOut > 3 ? call.output<float>(3) : nullptr;
  float* runningVar = call.nOut > 4 ? call.output<float>(4) : nullptr;
  const float* partials =
      eachBlock(call, rows, channels, [&](int64_t first, int64_t count, float* sums, float* squares) {
        eachGroup(channels, [&](auto lanes, int64_t c) {
          const float* const block = x + first * channels + c;
          const int64_t width = kVectors * kLanes;
          const float* const next = c + 2 * width <= channels ? block + width : x + (first + kBlockRows) * channels;
          blockMoments<decltype(lanes)>(block, count, channels, next, sums + c, squares + c);
        });
      });
  const double n = rows > 0 ? static_cast<double>(rows) : 1, take = p.momentum, keep = 1 - take;
  auto* total = static_cast<double*>(call.exec.scratch(Exec::kShared, 2, static_cast<size_t>(2 * channels) * sizeof(double)));
  addBlocks(partials, blocks, channels, total);
  double* const squares = total + channels;
  for (int64_t b = 0; b < blocks; ++b) {  // from block to block, so that channels are vectors
    const double count = static_cast<double>(rows - b * kBlockRows < kBlockRows ? rows - b * kBlockRows : kBlockRows);
    for (int64_t c = 0; c < channels; ++c) {
      const double offset = partials[b * 2 * channels + c] * (1 / count) - total[c] / n;
      squares[c] += count * offset * offset;
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    const double batchMean = total[c] / n;
    const double var = squares[c] / n;
    mean[c] = static_cast<float>(batchMean);
    rstd[c] = static_cast<float>(1 / __builtin_sqrt(var + p.eps));
    if (rows == 0) continue;
    if (runningMean) runningMean[c] = static_cast<float>(keep * runningMean[c] + take * batchMean);
    if (runningVar) runningVar[c] = static_cast<float>(keep * runningVar[c] + take * (n > 1 ? squares[c] / (n - 1) : var));
  }
}

}  // namespace

void batch_norm(const OpCall& call) {
  const auto& p = call.as<BatchNormParams>();
  const int64_t rows = p.rows, channels = p.channels;
  if (channels == 0) return;
  const float* x = call.input<float>(0);
  const float* gamma = call.nIn > 1 ? call.input<float>(1) : nullptr;
  const float* beta = call.nIn > 2 ? call.input<float>(2) : nullptr;
  float* y = call.output<float>(0);
  float* meanOut = call.nOut > 1 ? call.output<float>(1) : nullptr;
  float* rstdOut = call.nOut > 2 ? call.output<float>(2) : nullptr;
  if (rows == 0 && !meanOut && !rstdOut) return;  // no operand vouches for `channels` then

  const size_t bytes = static_cast<size_t>(channels) * sizeof(float);
  auto* mean = static_cast<float*>(call.exec.scratch(Exec::kShared, 1, 3 * bytes));
  float* rstd = mean + channels;
  float* scale = rstd + channels;
  if (p.training) {
    batchStatistics(call, x, mean, rstd);
  } else {
    std::memcpy(mean, call.in[3].data, bytes);
    const float* var = call.input<float>(4);
    for (int64_t c = 0; c < channels; ++c)
      rstd[c] = static_cast<float>(1 / __builtin_sqrt(static_cast<double>(var[c]) + p.eps));
  }
  for (int64_t c = 0; c < channels; ++c) scale[c] = gamma ? rstd[c] * gamma[c] : rstd[c];
  if (meanOut) std::memcpy(meanOut, mean, bytes);
  if (rstdOut) std::memcpy(rstdOut, rstd, bytes);

  eachRows(call, rows, channels, [&](int64_t begin, int64_t end, auto stores) {
    eachGroup(channels, [&](auto lanes, int64_t c) {
      using L = decltype(lanes);
      const L m = L::at(mean + c), s = L::at(scale + c), b = beta ? L::at(beta + c) : L::all(0.0f);
      for (int64_t i = begin; i < end; ++i) {
        L v = L::at(x + i * channels + c);
        for (int k = 0; k < L::parts; ++k) v.v[k] = (v.v[k] - m.v[k]) * s.v[k] + b.v[k];
        v.to(y + i * channels + c, stores);
      }
    });
  });
}

void batch_norm_backward(const OpCall& call) {
  const auto& p = call.as<BatchNormBackwardParams>();
  const int64_t rows = p.rows, channels = p.channels;
  if (channels == 0) return;
  const float* dy = call.input<float>(0);
  const float* x = call.input<float>(1);
  const float* gamma = call.input<float>(2);
  const float* mean = call.input<float>(3);
  const float* rstd = call.input<float>(4);
  float* dx = call.output<float>(0);
  float* dgamma = call.nOut > 1 ? call.output<float>(1) : nullptr;
  float* dbeta = call.nOut > 2 ? call.output<float>(2) : nullptr;

  // dx = scale * (dy - shift - (x - mean) * slope)
  const size_t bytes = static_cast<size_t>(channels) * sizeof(float);
  auto* scale = static_cast<float*>(call.exec.scratch(Exec::kShared, 1, 3 * bytes));
  float* shift = scale + channels;
  float* slope = shift + channels;
  for (int64_t c = 0; c < channels; ++c) scale[c] = gamma ? rstd[c] * gamma[c] : rstd[c];
  if (p.training || dgamma || dbeta) {
    const float* partials =
        eachBlock(call, rows, channels, [&](int64_t first, int64_t count, float* sums, float* products) {
          eachGroup(channels, [&](auto lanes, int64_t c) {
            const int64_t at = first * channels + c;
            blockProducts<decltype(lanes)>(dy + at, x + at, mean + c, rstd + c, count, channels, sums + c,
                                           products + c);
          });
        });
    auto* total =
        static_cast<double*>(call.exec.scratch(Exec::kShared, 2, static_cast<size_t>(2 * channels) * sizeof(double)));
    addBlocks(partials, ceilDiv(rows, kBlockRows), channels, total);
    const double* const product = total + channels;
    for (int64_t c = 0; c < channels; ++c) {
      if (dbeta) dbeta[c] = static_cast<float>(total[c]);
      if (dgamma) dgamma[c] = static_cast<float>(product[c]);
      const double n = rows > 0 ? static_cast<double>(rows) : 1;
      shift[c] = static_cast<float>(total[c] / n);
      slope[c] = static_cast<float>(product[c] / n * rstd[c]);
    }
  }

  eachRows(call, rows, channels, [&](int64_t begin, int64_t end, auto stores) {
    eachGroup(channels, [&](auto lanes, int64_t c) {
      using L = decltype(lanes);
      const L s = L::at(scale + c);
      if (!p.training) {
        for (int64_t i = begin; i < end; ++i) {
          L d = L::at(dy + i * channels + c);
          for (int k = 0; k < L::parts; ++k) d.v[k] *= s.v[k];
          d.to(dx + i * channels + c, stores);
        }
        return;
      }
      const L m = L::at(mean + c), a = L::at(shift + c), b = L::at(slope + c);
      for (int64_t i = begin; i < end; ++i) {
        L d = L::at(dy + i * channels + c);
        const L v = L::at(x + i * channels + c);
        for (int k = 0; k < L::parts; ++k) d.v[k] = s.v[k] * (d.v[k] - a.v[k] - (v.v[k] - m.v[k]) * b.v[k]);
        d.to(dx + i * channels + c, stores);
      }
    });
  });
}

}  // namespace anneal::ANNEAL_ISA
