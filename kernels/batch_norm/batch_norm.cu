// batch_norm and its backward on CUDA (contract: batch_norm.h). Training reads x twice, as backward does x and dy, since the first result waits for all
// of them: 12 and 20 bytes an item, 7 and 10 flops: memory binds, the second time the L2 cache where it holds them.
//
// batch_statistics, batch_sums  A block takes some rows of some channels, threads side by side on neighbouring channels, four each where these
//                        come by fours, and what its threads found meets in shared memory: a part.
// fold_statistics, fold_batch_sums  The parts, at most 1024 by the shape alone: 32 channels a block, 8 threads each.
// normalise, input_gradient  The same blocks with fewer rows write the result.
//
// Numbers  f32. Of up to 32 rows a thread takes sum and sum of squares of what they differ from the first of them, so that M2 = q - s^2 / n loses no
//          more than a factor of 32, however far that row lies from the mean; rows and parts are combined by Chan's formula, all means as
//          they differ from the channel's first item: a large mean costs no digits.
#include "batch_norm.cuda.h"
#include "../common/cuda.cuh"

namespace anneal::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kRows = 32;
constexpr int kFoldAcross = 32;

template <int W> struct Lanes {
  float item[W];
};
template <int W, class F> ANNEAL_GPU Lanes<W> eachLane(F f) {
  Lanes<W> out;
#pragma unroll
  for (int i = 0; i < W; ++i) out.item[i] = f(i);
  return out;
}
template <int W> ANNEAL_GPU Lanes<W> load(const Span<const float>& x, int64_t i) {
  if constexpr (W == 4) {
    const float4 v = x.as<float4>(i);
    return {{v.x, v.y, v.z, v.w}};
  } else {
    return {{x[i]}};
  }
}
template <int W> ANNEAL_GPU Lanes<W> loadOr(const Span<const float>& x, int64_t i, float absent) {
  return x.present() ? load<W>(x, i) : eachLane<W>([&](int) { return absent; });
}
template <int W> ANNEAL_GPU void store(const Span<float>& y, int64_t i, const Lanes<W>& v) {
  if constexpr (W == 4) y.as<float4>(i) = make_float4(v.item[0], v.item[1], v.item[2], v.item[3]);
  else y[i] = v.item[0];
}

// This thread's channels, and its rows: first, first + step, ... below end; none where it has no channels.
template <int W> struct Share {
  int64_t c, first, step, end;

  ANNEAL_GPU explicit Share(const BatchNormTile& tile) {
    const int across = static_cast<int>(tile.across), thread = static_cast<int>(threadIdx.x);
    c = W * (static_cast<int64_t>(blockIdx.x) * across + thread % across);
    step = kThreads / across;
    const int64_t begin = blockIdx.y * tile.partRows;
    first = begin + thread / across;
    end = begin + tile.partRows < tile.rows ? begin + tile.partRows : tile.rows;
    if (!has(tile)) end = first;
  }
  ANNEAL_GPU bool has(const BatchNormTile& tile) const { return c < tile.channels; }
  ANNEAL_GPU bool writes(const BatchNormTile& tile) const { return threadIdx.x < tile.across && has(tile); }
};

// n items with their mean and the sum of squared deviations from it.
struct Moments {
  float n, mean, m2;
};
// Chan's formula.
ANNEAL_GPU Moments together(const Moments& a, const Moments& b) {
  if (b.n == 0) return a;
  if (a.n == 0) return b;
  const float n = a.n + b.n, delta = b.mean - a.mean, weight = b.n / n;
  return {n, a.mean + delta * weight, a.m2 + b.m2 + delta * delta * (a.n * weight)};
}

template <int W> ANNEAL_GPU void statistics(const BatchStatisticsArgs& args) {
  const BatchNormTile& tile = args.tile;
  const Share<W> share(tile);
  Moments found[W];
#pragma unroll
  for (int w = 0; w < W; ++w) found[w] = {0, 0, 0};
  Lanes<W> origin = eachLane<W>([](int) { return 0.0f; });
  if (share.first < share.end) origin = load<W>(args.x, share.c);
  for (int64_t start = share.first; start < share.end; start += kRows * share.step) {
    const int64_t stop = start + kRows * share.step < share.end ? start + kRows * share.step : share.end;
    const Lanes<W> pivot = load<W>(args.x, start * tile.channels + share.c);
    Lanes<W> s = eachLane<W>([](int) { return 0.0f; }), q = s;
    // From the first row itself, so that what is not finite there is seen.
    const auto add = [&](const Lanes<W>& x) {
#pragma unroll
      for (int w = 0; w < W; ++w) {
        const float d = x.item[w] - pivot.item[w];
        s.item[w] += d;
        q.item[w] += d * d;
      }
    };
    int64_t row = start;
    for (; row + 3 * share.step < stop; row += 4 * share.step) {
      Lanes<W> x[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) x[k] = load<W>(args.x, (row + k * share.step) * tile.channels + share.c);
#pragma unroll
      for (int k = 0; k < 4; ++k) add(x[k]);
    }
    for (; row < stop; row += share.step) add(load<W>(args.x, row * tile.channels + share.c));
    const auto n = static_cast<float>((stop - start + share.step - 1) / share.step);
#pragma unroll
    for (int w = 0; w < W; ++w) {
      const float shift = s.item[w] / n, m2 = q.item[w] - s.item[w] * shift;
      found[w] = together(found[w], {n, (pivot.item[w] - origin.item[w]) + shift, m2 < 0 ? 0.0f : m2});
    }
  }
#pragma unroll
  for (int w = 0; w < W; ++w)
    found[w] = columnFold<kThreads>(found[w], static_cast<int>(tile.across), [](const Moments& a, const Moments& b) { return together(a, b); });
  if (!share.writes(tile)) return;
  const int64_t at = 2 * blockIdx.y * tile.channels + share.c;
  store<W>(args.stats, at, eachLane<W>([&](int w) { return found[w].mean; }));
  store<W>(args.stats, at + tile.channels, eachLane<W>([&](int w) { return found[w].m2; }));
}

// This thread's channel of a fold, and its lane: every eighth part from that on.
struct FoldShare {
  int64_t c;
  int lane;
  bool has, writes;

  ANNEAL_GPU explicit FoldShare(int64_t channels) {
    c = static_cast<int64_t>(blockIdx.x) * kFoldAcross + threadIdx.x % kFoldAcross;
    lane = static_cast<int>(threadIdx.x) / kFoldAcross;
    has = c < channels;
    writes = has && lane == 0;
  }
};

template <int W> ANNEAL_GPU void normaliseTile(const NormaliseArgs& args) {
  const BatchNormTile& tile = args.tile;
  const Share<W> share(tile);
  if (!share.has(tile)) return;
  const Lanes<W> mean = load<W>(args.mean, share.c);
  Lanes<W> rstd = load<W>(args.spread, share.c);
  if (args.training == 0) {
    rstd = eachLane<W>([&](int w) { return 1.0f / sqrtf(rstd.item[w] + args.eps); });
    if (blockIdx.y == 0 && share.writes(tile)) {
      if (args.keptMean.present()) store<W>(args.keptMean, share.c, mean);
      if (args.keptRstd.present()) store<W>(args.keptRstd, share.c, rstd);
    }
  }
  const Lanes<W> gamma = loadOr<W>(args.gamma, share.c, 1), beta = loadOr<W>(args.beta, share.c, 0);
  const Lanes<W> scale = eachLane<W>([&](int w) { return rstd.item[w] * gamma.item[w]; });
  // y may be x: each item is read by the thread that writes it, and before.
#pragma unroll 4
  for (int64_t row = share.first; row < share.end; row += share.step) {
    const int64_t at = row * tile.channels + share.c;
    const Lanes<W> x = load<W>(args.x, at);
    store<W>(args.y, at, eachLane<W>([&](int w) { return (x.item[w] - mean.item[w]) * scale.item[w] + beta.item[w]; }));
  }
}

template <int W> ANNEAL_GPU void sumTile(const BatchSumsArgs& args) {
  const BatchNormTile& tile = args.tile;
  const Share<W> share(tile);
  Lanes<W> total = eachLane<W>([](int) { return 0.0f; }), product = total, mean = total, rstd = total;
  if (share.has(tile)) {
    mean = load<W>(args.mean, share.c);
    rstd = load<W>(args.rstd, share.c);
  }
  for (int64_t start = share.first; start < share.end; start += kRows * share.step) {
    const int64_t stop = start + kRows * share.step < share.end ? start + kRows * share.step : share.end;
    Lanes<W> t = eachLane<W>([](int) { return 0.0f; }), p = t;
#pragma unroll 4
    for (int64_t row = start; row < stop; row += share.step) {
      const int64_t at = row * tile.channels + share.c;
      const Lanes<W> dy = load<W>(args.dy, at), x = load<W>(args.x, at);
#pragma unroll
      for (int w = 0; w < W; ++w) {
        t.item[w] += dy.item[w];
        p.item[w] += dy.item[w] * (x.item[w] - mean.item[w]);
      }
    }
#pragma unroll
    for (int w = 0; w < W; ++w) {
      total.item[w] += t.item[w];
      product.item[w] += p.item[w];
    }
  }
  Lanes<W> totals, products;
#pragma unroll
  for (int w = 0; w < W; ++w) {
    const float2 both = columnFold<kThreads>(make_float2(total.item[w], product.item[w]), static_cast<int>(tile.across),
                                             [](float2 a, float2 b) { return make_float2(a.x + b.x, a.y + b.y); });
    totals.item[w] = both.x;
    products.item[w] = both.y * rstd.item[w];
  }
  if (!share.writes(tile)) return;
  const int64_t at = 2 * blockIdx.y * tile.channels + share.c;
  store<W>(args.stats, at, totals);
  store<W>(args.stats, at + tile.channels, products);
}

template <int W> ANNEAL_GPU void gradientTile(const InputGradientArgs& args) {
  const BatchNormTile& tile = args.tile;
  const Share<W> share(tile);
  if (!share.has(tile)) return;
  const bool training = args.found.present();
  const Lanes<W> rstd = load<W>(args.rstd, share.c), gamma = loadOr<W>(args.gamma, share.c, 1);
  const Lanes<W> scale = eachLane<W>([&](int w) { return gamma.item[w] * rstd.item[w]; });
  Lanes<W> mean = eachLane<W>([](int) { return 0.0f; }), total = mean, slope = mean;
  if (training) {
    mean = load<W>(args.mean, share.c);
    total = load<W>(args.found, share.c);
    slope = load<W>(args.found, share.c + tile.channels);
    slope = eachLane<W>([&](int w) { return slope.item[w] * rstd.item[w]; });
  }
  // dx may be dy.
#pragma unroll 4
  for (int64_t row = share.first; row < share.end; row += share.step) {
    const int64_t at = row * tile.channels + share.c;
    Lanes<W> dx = load<W>(args.dy, at);
    if (training) {
      const Lanes<W> x = load<W>(args.x, at);
      dx = eachLane<W>([&](int w) { return dx.item[w] - total.item[w] - (x.item[w] - mean.item[w]) * slope.item[w]; });
    }
    store<W>(args.dx, at, eachLane<W>([&](int w) { return dx.item[w] * scale.item[w]; }));
  }
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) batch_statistics(const BatchStatisticsArgs args) {
  if (args.tile.fours != 0) statistics<4>(args);
  else statistics<1>(args);
}

extern "C" __global__ void __launch_bounds__(256) fold_statistics(const BatchStatisticsArgs args) {
  const int64_t channels = args.tile.channels;
  const FoldShare share(channels);
  Moments found = {0, 0, 0};
  if (share.has)
    for (int64_t part = share.lane; part < args.parts; part += kThreads / kFoldAcross) {
      const int64_t left = args.tile.rows - part * args.tile.partRows, at = 2 * part * channels + share.c;
      const auto n = static_cast<float>(left < args.tile.partRows ? left : args.tile.partRows);
      found = together(found, {n, args.stats[at], args.stats[at + channels]});
    }
  found = columnFold<kThreads>(found, kFoldAcross, [](const Moments& a, const Moments& b) { return together(a, b); });
  if (!share.writes) return;
  const int64_t c = share.c;
  float mean = 0, variance = 0;
  if (args.tile.rows > 0) {
    const auto rows = static_cast<float>(args.tile.rows);
    mean = args.x[c] + found.mean;
    variance = found.m2 / rows;
    const float keep = 1 - args.momentum, unbiased = args.tile.rows > 1 ? found.m2 / (rows - 1) : variance;
    if (args.runningMean.present()) args.runningMean[c] = keep * args.runningMean[c] + args.momentum * mean;
    if (args.runningVar.present()) args.runningVar[c] = keep * args.runningVar[c] + args.momentum * unbiased;
  }
  const float rstd = 1.0f / sqrtf(variance + args.eps);
  args.found[c] = mean;
  args.found[c + channels] = rstd;
  if (args.mean.present()) args.mean[c] = mean;
  if (args.rstd.present()) args.rstd[c] = rstd;
}

extern "C" __global__ void __launch_bounds__(256) normalise(const NormaliseArgs args) {
  if (args.tile.fours != 0) normaliseTile<4>(args);
  else normaliseTile<1>(args);
}

extern "C" __global__ void __launch_bounds__(256) batch_sums(const BatchSumsArgs args) {
  if (args.tile.fours != 0) sumTile<4>(args);
  else sumTile<1>(args);
}

extern "C" __global__ void __launch_bounds__(256) fold_batch_sums(const BatchSumsArgs args) {
  const int64_t channels = args.tile.channels;
  const FoldShare share(channels);
  float2 sums = make_float2(0, 0);
  if (share.has)
    for (int64_t part = share.lane; part < args.parts; part += kThreads / kFoldAcross) {
      const int64_t at = 2 * part * channels + share.c;
      sums = make_float2(sums.x + args.stats[at], sums.y + args.stats[at + channels]);
    }
  sums = columnFold<kThreads>(sums, kFoldAcross, [](float2 a, float2 b) { return make_float2(a.x + b.x, a.y + b.y); });
  if (!share.writes) return;
  if (args.dbeta.present()) args.dbeta[share.c] = sums.x;
  if (args.dgamma.present()) args.dgamma[share.c] = sums.y;
  const float rows = args.tile.rows > 0 ? static_cast<float>(args.tile.rows) : 1.0f;
  args.found[share.c] = sums.x / rows;
  args.found[share.c + channels] = sums.y / rows;
}

extern "C" __global__ void __launch_bounds__(256) input_gradient(const InputGradientArgs args) {
  if (args.tile.fours != 0) gradientTile<4>(args);
  else gradientTile<1>(args);
}

}  // namespace anneal::cuda
