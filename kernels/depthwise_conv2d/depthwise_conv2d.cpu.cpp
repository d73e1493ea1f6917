// Depthwise convolution on the CPU. See depthwise_conv2d.h for the blocking.
#include "../common/parallel.h"
#include "../common/simd.h"
#include "depthwise_conv2d.h"
#include "row_kernel.h"
#include "weight_kernel.h"

namespace anneal::ANNEAL_ISA {
namespace {

constexpr int64_t kTaskWork = 1 << 16;   // multiply-adds below which a second thread costs more than it saves
constexpr int64_t kWeightChunks = 32;    // most partial sums of dw
constexpr int64_t kChunkWork = 1 << 17;  // least multiply-adds of a partial sum

// Scratch slots of a worker.
constexpr int kTapSlot = 0, kRowSlot = 1;

// Rows of a task of about kTaskWork multiply-adds (in floating point, since the product may exceed 64 bits).
static inline int64_t rowGrain(double rowWork) {
  if (rowWork >= kTaskWork) return 1;
  return static_cast<int64_t>(kTaskWork / (rowWork > 1 ? rowWork : 1));
}

// Rows of x with each channel repeated m times, cached while the windows of one task slide down. With m = 1, x itself.
struct RepeatedRows {
  const float* x;
  int64_t width, channels, m;
  float* rows;     // [slots][width * channels * m], m > 1 only
  int64_t* owner;  // [slots], the row of x each holds
  int64_t slots;

  const float* row(int64_t index, int64_t slot) const {
    const int64_t size = width * channels;
    if (m == 1) return x + index * size;
    float* to = rows + slot * size * m;
    if (owner[slot] == index) return to;
    owner[slot] = index;
    const float* from = x + index * size;
    for (int64_t i = 0; i < size; ++i)
      for (int64_t k = 0; k < m; ++k) to[i * m + k] = from[i];
    return to;
  }
};

// How many rows of the image one window can touch.
static inline int64_t windowRows(const Params& p) { return smaller(p.kh, p.h > 0 ? p.h : 1); }

static inline RepeatedRows repeatedRows(const OpCall& call, const float* x, int worker) {
  const auto& p = call.as<Params>();
  RepeatedRows r{x, p.w, p.c, p.m, nullptr, nullptr, windowRows(p)};
  if (p.m == 1) return r;
  const int64_t values = r.slots * r.width * r.channels * r.m;
  const size_t ownerBytes = static_cast<size_t>(ceilDiv(r.slots * 8, 64) * 64);
  char* block = static_cast<char*>(call.exec.scratch(worker, kRowSlot, ownerBytes + static_cast<size_t>(values) * 4));
  r.owner = reinterpret_cast<int64_t*>(block);
  r.rows = reinterpret_cast<float*>(block + ownerBytes);
  for (int64_t i = 0; i < r.slots; ++i) r.owner[i] = -1;
  return r;
}

// f(imageRow, tap row ky, cache slot) for each row of image n that the windows at oy touch.
template <class F> static inline void eachWindowRow(const Params& p, int64_t n, int64_t oy, const F& f) {
  const int64_t slots = windowRows(p);
  int64_t touched = 0;
  for (int64_t ky = 0; ky < p.kh; ++ky) {
    const int64_t iy = oy * p.strideH - p.padTop + ky * p.dilationH;
    // Undilated, neighbouring windows share rows: give a row the same slot in all of them.
    if (iy >= 0 && iy < p.h) f(n * p.h + iy, ky, p.dilationH == 1 ? iy % slots : touched++);
  }
}

static inline double rowWork(const Params& p, double width) {
  return width * p.c * p.m * smaller(p.kh, p.h) * smaller(p.kw, p.w);
}

}  // namespace

void depthwise_conv2d(const OpCall& call) {
  const auto& p = call.as<Params>();
  const int64_t channels = static_cast<int64_t>(p.c) * p.m;
  if (p.n == 0 || p.oh == 0 || p.ow == 0 || channels == 0) return;
  const float* x = call.input<float>(0);
  const float* w = call.input<float>(1);
  const float* bias = call.nIn > 2 ? call.input<float>(2) : nullptr;
  float* y = call.output<float>(0);
  const auto activation = static_cast<Activation>(p.activation);

  int64_t grain = rowGrain(rowWork(p, p.ow));
  if (p.m > 1 && grain < 8) grain = 8;  // each task repeats the rows its windows share with the task before
  parallelRange(call.exec, static_cast<int64_t>(p.n) * p.oh, grain, [&](int64_t begin, int64_t end, int worker) {
    const int64_t maxPairs = windowRows(p);
    const size_t pairBytes = static_cast<size_t>(maxPairs) * sizeof(RowPair);
    char* block = static_cast<char*>(
        call.exec.scratch(worker, kTapSlot, pairBytes + 2 * static_cast<size_t>(p.kw) * sizeof(Tap)));
    auto* pairs = reinterpret_cast<RowPair*>(block);
    auto* taps = reinterpret_cast<Tap*>(block + pairBytes);
    for (int64_t kx = 0; kx < p.kw; ++kx) taps[kx] = {kx * p.dilationW - p.padLeft, kx};
    const RepeatedRows rows = repeatedRows(call, x, worker);
    for (int64_t i = begin; i < end; ++i) {
      int64_t pairCount = 0;
      eachWindowRow(p, i / p.oh, i % p.oh, [&](int64_t row, int64_t ky, int64_t slot) {
        pairs[pairCount++] = {rows.row(row, slot), w + ky * p.kw * channels};
      });
      const Row r{channels, p.w, p.strideW, 1, p.ow, pairs, pairCount, taps, p.kw, bias, activation};
      computeRow(r, taps + p.kw, y + i * p.ow * channels);
    }
  });
}

void depthwise_conv2d_backward_data(const OpCall& call) {
  const auto& p = call.as<Params>();
  const int64_t channels = static_cast<int64_t>(p.c) * p.m;
  if (p.n == 0 || p.h == 0 || p.w == 0 || channels == 0) return;
  const float* dy = call.input<float>(0);
  const float* w = call.input<float>(1);
  float* dx = call.output<float>(0);

  const int64_t grain = rowGrain(rowWork(p, p.w) / p.strideH / p.strideW);
  parallelRange(call.exec, static_cast<int64_t>(p.n) * p.h, grain, [&](int64_t begin, int64_t end, int worker) {
    const int64_t maxPairs = smaller(p.kh, p.oh);
    const size_t pairBytes = static_cast<size_t>(maxPairs) * sizeof(RowPair);
    char* block = static_cast<char*>(
        call.exec.scratch(worker, kTapSlot, pairBytes + 2 * static_cast<size_t>(p.kw) * sizeof(Tap)));
    auto* pairs = reinterpret_cast<RowPair*>(block);
    auto* taps = reinterpret_cast<Tap*>(block + pairBytes);
    float* sums = nullptr;  // one row before folding m
    if (p.m > 1)
      sums = static_cast<float*>(call.exec.scratch(worker, kRowSlot, static_cast<size_t>(p.w * channels) * 4));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / p.h, iy = i % p.h;
      int64_t pairCount = 0;
      for (int64_t ky = 0; ky < p.kh; ++ky) {
        const int64_t top = iy + p.padTop - ky * p.dilationH;
        if (top < 0) break;
        if (top % p.strideH == 0 && top / p.strideH < p.oh)
          pairs[pairCount++] = {dy + (n * p.oh + top / p.strideH) * p.ow * channels, w + ky * p.kw * channels};
      }
      float* out = sums ? sums : dx + i * p.w * channels;
      // Pixels of one phase, ix = phase + j * strideW, meet the same taps: ox = j + offset.
      for (int64_t phase = 0; phase < p.strideW && phase < p.w; ++phase) {
        int64_t tapCount = 0;
        for (int64_t kx = p.kw; kx-- > 0;) {
          const int64_t left = phase + p.padLeft - kx * p.dilationW;
          if (left % p.strideW == 0) taps[tapCount++] = {left / p.strideW, kx};
        }
        const int64_t count = ceilDiv(p.w - phase, p.strideW);
        const Row r{channels, p.ow, 1, p.strideW, count, pairs, pairCount, taps, tapCount, nullptr, Activation::none};
        computeRow(r, taps + p.kw, out + phase * channels);
      }
      if (!sums) continue;
      float* to = dx + i * p.w * p.c;
      for (int64_t k = 0; k < static_cast<int64_t>(p.w) * p.c; ++k) {
        float total = 0;
        for (int64_t j = 0; j < p.m; ++j) total += sums[k * p.m + j];
        to[k] = total;
      }
    }
  });
}

void depthwise_conv2d_backward_weight(const OpCall& call) {
  const auto& p = call.as<Params>();
  const int64_t channels = static_cast<int64_t>(p.c) * p.m;
  if (channels == 0) return;
  const float* x = call.input<float>(0);
  const float* dy = call.input<float>(1);
  float* dw = call.output<float>(0);
  float* dbias = call.nOut > 1 ? call.output<float>(1) : nullptr;

  const int64_t rows = p.ow > 0 ? static_cast<int64_t>(p.n) * p.oh : 0;
  const double work = rows * rowWork(p, p.ow);
  const int64_t wanted =
      work >= kWeightChunks * kChunkWork ? kWeightChunks : static_cast<int64_t>(work / kChunkWork) + 1;
  const int64_t chunkRows = ceilDiv(rows, wanted) > 0 ? ceilDiv(rows, wanted) : 1;
  const int64_t chunks = ceilDiv(rows, chunkRows);
  const int64_t weights = static_cast<int64_t>(p.kh) * p.kw * channels;
  const int64_t stride = weights + (dbias ? channels : 0);  // a chunk's dw, then its dbias
  float* partials = nullptr;
  if (chunks > 0) {
    const size_t bytes = static_cast<size_t>(chunks * stride) * 4;
    partials = static_cast<float*>(call.exec.scratch(Exec::kShared, kTapSlot, bytes));
  }

  const BlockKernels kernels = blockKernelsFor(p);
  // Repeated rows are kept for one row of dy at a time.
  const int64_t blockRows = p.m > 1 ? 1 : smaller(kMostBlockRows, ceilDiv(kBlockPixels, p.ow > 0 ? p.ow : 1));
  parallel(call.exec, chunks, [&](int64_t chunk, int worker) {
    float* partial = partials + chunk * stride;
    std::memset(partial, 0, static_cast<size_t>(stride) * 4);
    const RepeatedRows repeated = repeatedRows(call, x, worker);
    const int64_t begin = chunk * chunkRows, end = smaller(begin + chunkRows, rows);
    if (kernels.many != nullptr) {
      WeightBlock block;
      block.channels = channels, block.width = p.w, block.outWidth = p.ow, block.first = -static_cast<int64_t>(p.padLeft);
      for (int64_t i = begin; i < end; i += blockRows) {
        block.rows = smaller(blockRows, end - i);
        for (int64_t r = 0; r < block.rows; ++r) {
          block.dy[r] = dy + (i + r) * p.ow * channels;
          for (int64_t ky = 0; ky < p.kh; ++ky) block.x[r][ky] = nullptr;
          eachWindowRow(p, (i + r) / p.oh, (i + r) % p.oh,
                        [&](int64_t row, int64_t ky, int64_t slot) { block.x[r][ky] = repeated.row(row, slot); });
        }
        accumulateBlock(p, kernels, block, partial, dbias ? partial + weights : nullptr);
      }
      return;
    }
    for (int64_t i = begin; i < end; ++i) {
      const float* gradient = dy + i * p.ow * channels;
      eachWindowRow(p, i / p.oh, i % p.oh, [&](int64_t row, int64_t ky, int64_t slot) {
        accumulateRow(p, repeated.row(row, slot), gradient, partial + ky * p.kw * channels);
      });
      if (!dbias) continue;
      float* sums = partial + weights;
      for (int64_t j = 0; j < p.ow; ++j)
        for (int64_t c = 0; c < channels; ++c) sums[c] += gradient[j * channels + c];
    }
  });

  parallelRange(call.exec, stride, 1 << 14, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float total = 0;
      for (int64_t chunk = 0; chunk < chunks; ++chunk) total += partials[chunk * stride + i];
      if (i < weights)
        dw[i] = total;
      else
        dbias[i - weights] = total;
    }
  });
}

}  // namespace anneal::ANNEAL_ISA
