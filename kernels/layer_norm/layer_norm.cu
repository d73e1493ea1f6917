// layer_norm and its backward on CUDA (contract: layer_norm.h). 8 and 12 bytes an item, 8 and 14 flops: memory binds.
//
// layer_norm_*           A team a row (rows.cuh), which waits in registers between mean, squared deviations and result: memory is read once, up
//                        to 8,192 columns.
// layer_norm_backward_*  A block takes a run of rows, its teams row after row, each thread always the same columns: so the sums for dgamma and
//                        dbeta stay in registers beside the row, and memory is read once, up to 4,096 columns. Teams meet in shared memory.
// wide_sums              Those sums where rows are longer, before dx, which may overwrite dy.
// fold_sums              The blocks' sums, at most 512 by the shape alone, in one order.
#include "layer_norm.cuda.h"
#include "../common/rows.cuh"

namespace anneal::cuda {
namespace {

constexpr int kThreads = 256;

template <int Threads, int Kept, bool Vectors> ANNEAL_GPU void forward(const LayerNormArgs& args) {
  using Walk = RowWalk<Threads, Kept, Vectors>;
  const int64_t row = teamIndex<Threads>(), cols = args.params.cols;
  const bool there = row < args.params.rows;
  const Walk walk{row * cols, there ? cols : 0};
  Four kept[Kept];
  LongSum sum, squares;
  walk.each([&](int k, int64_t c) {
    const Four x = walk.load(args.x, walk.start, c, 0);
    if (k < Kept) kept[k] = x;
    sum.add(x);
  });
  const float n = cols == 0 ? 1.0f : static_cast<float>(cols);
  const float mean = teamSum<Threads>(sum.end()) / n;
  walk.each([&](int k, int64_t c) {
    const Four x = k < Kept ? kept[k] : walk.load(args.x, walk.start, c, 0);
    squares.add(eachOf([&](int i) {
      const float d = walk.has(c, i) ? x.item[i] - mean : 0.0f;
      return d * d;
    }));
  });
  const float rstd = 1.0f / sqrtf(teamSum<Threads>(squares.end()) / n + args.params.eps);
  walk.each([&](int k, int64_t c) {
    const Four x = k < Kept ? kept[k] : walk.load(args.x, walk.start, c, 0);
    Four y = eachOf([&](int i) { return (x.item[i] - mean) * rstd; });
    if (args.gamma.present()) {
      const Four gamma = walk.load(args.gamma, 0, c, 0);
      y = eachOf([&](int i) { return y.item[i] * gamma.item[i]; });
    }
    if (args.beta.present()) {
      const Four beta = walk.load(args.beta, 0, c, 0);
      y = eachOf([&](int i) { return y.item[i] + beta.item[i]; });
    }
    walk.store(args.y, walk.start, c, y);
  });
  if (!there || teamLane<Threads>() != 0) return;
  if (args.mean.present()) args.mean[row] = mean;
  if (args.rstd.present()) args.rstd[row] = rstd;
}

// What the teams of a block found for their columns, for part `blockIdx.x` of partial's rows 0 or 1.
template <int Threads, int Kept, bool Vectors>
ANNEAL_GPU void putSums(const LayerNormBackwardArgs& args, int which, const Four (&sums)[Kept]) {
  using Walk = RowWalk<Threads, Kept, Vectors>;
  const int64_t cols = args.params.cols;
  const Walk walk{(2 * static_cast<int64_t>(blockIdx.x) + which) * cols, cols};
  if constexpr (Threads == kThreads) {
    walk.each([&](int k, int64_t c) {
      if (k < Kept) walk.store(args.partial, walk.start, c, sums[k]);
    });
  } else {
    using Slots = Array<float, 4 * kThreads>;
    ANNEAL_SHARED(Slots, slots);
    constexpr int kTeams = kThreads / Threads, kColumns = 4 * Threads;
    const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
    for (int k = 0; k < Kept; ++k) {
      if (k * kColumns >= cols) break;
      __syncthreads();
      slots.template as<float4>(4 * thread) = make_float4(sums[k].item[0], sums[k].item[1], sums[k].item[2], sums[k].item[3]);
      __syncthreads();
      if (thread >= kColumns) continue;
      float total = 0;
#pragma unroll
      for (int team = 0; team < kTeams; ++team) total += slots[team * kColumns + thread];
      const int64_t c = k * kColumns + Walk::column((Vectors ? 4 : 1) * (thread / 4), thread % 4);
      if (c < cols) args.partial[walk.start + c] = total;
    }
  }
}

template <int Threads, int Kept, bool Vectors> ANNEAL_GPU void backward(const LayerNormBackwardArgs& args) {
  using Walk = RowWalk<Threads, Kept, Vectors>;
  constexpr int64_t kTeams = kThreads / Threads;
  const int64_t cols = args.params.cols, rows = args.params.rows;
  const int64_t begin = blockIdx.x * args.partRows, end = begin + args.partRows < rows ? begin + args.partRows : rows;
  const bool sums = args.partial.present();
  Four dgamma[Kept], dbeta[Kept];
#pragma unroll
  for (int k = 0; k < Kept; ++k) dgamma[k] = dbeta[k] = {{0, 0, 0, 0}};
  // All teams come around as often, since their lanes fold together.
  for (int64_t first = begin; first < end; first += kTeams) {
    const int64_t row = first + threadIdx.x / Threads;
    const bool there = row < end;
    const Walk walk{row * cols, there ? cols : 0};
    const float mean = there ? args.mean[row] : 0, rstd = there ? args.rstd[row] : 0;
    const auto gradient = [&](int64_t c, const Four& dy) {
      if (!args.gamma.present()) return dy;
      const Four gamma = walk.load(args.gamma, 0, c, 0);
      return eachOf([&](int i) { return dy.item[i] * gamma.item[i]; });
    };
    const auto normal = [&](int64_t c) {
      const Four x = walk.load(args.x, walk.start, c, 0);
      return eachOf([&](int i) { return walk.has(c, i) ? (x.item[i] - mean) * rstd : 0.0f; });
    };
    Four g[Kept], xhat[Kept];
    LongSum plain, product;
    walk.each([&](int k, int64_t c) {
      const Four dy = walk.load(args.dy, walk.start, c, 0), h = normal(c), slope = gradient(c, dy);
      if (k < Kept) {
        g[k] = slope;
        xhat[k] = h;
        if (sums) {
          dgamma[k] = eachOf([&](int i) { return dgamma[k].item[i] + dy.item[i] * h.item[i]; });
          dbeta[k] = eachOf([&](int i) { return dbeta[k].item[i] + dy.item[i]; });
        }
      }
      plain.add(slope);
      product.add(eachOf([&](int i) { return slope.item[i] * h.item[i]; }));
    });
    const float2 both = teamFold<Threads>(make_float2(plain.end(), product.end()),
                                          [](float2 a, float2 b) { return make_float2(a.x + b.x, a.y + b.y); });
    const float plainMean = both.x / static_cast<float>(cols), productMean = both.y / static_cast<float>(cols);
    walk.each([&](int k, int64_t c) {
      const Four h = k < Kept ? xhat[k] : normal(c), slope = k < Kept ? g[k] : gradient(c, walk.load(args.dy, walk.start, c, 0));
      walk.store(args.dx, walk.start, c,
                 eachOf([&](int i) { return rstd * (slope.item[i] - plainMean - h.item[i] * productMean); }));
    });
  }
  if (!sums) return;
  putSums<Threads, Kept, Vectors>(args, 0, dgamma);
  putSums<Threads, Kept, Vectors>(args, 1, dbeta);
}

template <int Threads, int Kept> ANNEAL_GPU void forwardRow(const LayerNormArgs& args) {
  if (args.vectors != 0) forward<Threads, Kept, true>(args);
  else forward<Threads, Kept, false>(args);
}
template <int Threads, int Kept> ANNEAL_GPU void backwardRows(const LayerNormBackwardArgs& args) {
  if (args.vectors != 0) backward<Threads, Kept, true>(args);
  else backward<Threads, Kept, false>(args);
}

}  // namespace

extern "C" __global__ void __launch_bounds__(256) layer_norm_8(const LayerNormArgs args) { forwardRow<8, 1>(args); }
extern "C" __global__ void __launch_bounds__(256) layer_norm_32(const LayerNormArgs args) { forwardRow<32, 8>(args); }
// Two blocks a multiprocessor: told so, ptxas spills nothing; by itself it aims at three and spills 16 bytes (CUDA 13.0).
extern "C" __global__ void __launch_bounds__(256, 2) layer_norm_256(const LayerNormArgs args) { forwardRow<256, 8>(args); }

extern "C" __global__ void __launch_bounds__(256) layer_norm_backward_8(const LayerNormBackwardArgs args) { backwardRows<8, 1>(args); }
extern "C" __global__ void __launch_bounds__(256) layer_norm_backward_32(const LayerNormBackwardArgs args) { backwardRows<32, 4>(args); }
extern "C" __global__ void __launch_bounds__(256) layer_norm_backward_256(const LayerNormBackwardArgs args) { backwardRows<256, 4>(args); }

// A thread a column; blockIdx.y is the part.
extern "C" __global__ void __launch_bounds__(256) wide_sums(const LayerNormBackwardArgs args) {
  const int64_t c = flatThread(), cols = args.params.cols, rows = args.params.rows;
  if (c >= cols) return;
  const int64_t begin = blockIdx.y * args.partRows, end = begin + args.partRows < rows ? begin + args.partRows : rows;
  float dgamma = 0, dbeta = 0;
#pragma unroll 4
  for (int64_t row = begin; row < end; ++row) {
    const float dy = args.dy[row * cols + c];
    dgamma += dy * ((args.x[row * cols + c] - args.mean[row]) * args.rstd[row]);
    dbeta += dy;
  }
  args.partial[2 * blockIdx.y * cols + c] = dgamma;
  args.partial[(2 * blockIdx.y + 1) * cols + c] = dbeta;
}

// 32 columns a block, 8 threads each; blockIdx.y is 0 for dgamma, 1 for dbeta.
extern "C" __global__ void __launch_bounds__(256) fold_sums(const LayerNormFoldArgs args) {
  constexpr int kAcross = 32;
  const int64_t c = static_cast<int64_t>(blockIdx.x) * kAcross + threadIdx.x % kAcross;
  const Span<float> out = blockIdx.y == 0 ? args.dgamma : args.dbeta;
  if (!out.present()) return;
  float sum = 0;
  if (c < args.cols)
    for (int64_t part = threadIdx.x / kAcross; part < args.parts; part += kThreads / kAcross)
      sum += args.partial[(2 * part + blockIdx.y) * args.cols + c];
  sum = columnFold<kThreads>(sum, kAcross, [](float a, float b) { return a + b; });
  if (threadIdx.x < kAcross && c < args.cols) out[c] = sum;
}

}  // namespace anneal::cuda
