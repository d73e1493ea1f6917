// Depthwise convolution on the CPU. See the header for the blocking.
#include "../common/activation.h"
#include "../common/parallel.h"
#include "../common/simd.h"
#include "depthwise_conv2d.h"

namespace anneal::ANNEAL_ISA {
namespace {

using Params = DepthwiseConv2dParams;

constexpr int64_t kTaskWork = 1 << 16;   // multiply-adds below which a second thread costs more than it saves
constexpr int64_t kWeightChunks = 32;    // most partial sums of dw
constexpr int64_t kChunkWork = 1 << 17;  // least multiply-adds of a partial sum

// Scratch slots of a worker.
constexpr int kTapSlot = 0, kRowSlot = 1;

static inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t clamp(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }
static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Rows of a task of about kTaskWork multiply-adds (in floating point, since the product may exceed 64 bits).
static inline int64_t rowGrain(double rowWork) {
  if (rowWork >= kTaskWork) return 1;
  return static_cast<int64_t>(kTaskWork / (rowWork > 1 ? rowWork : 1));
}

// One tap of a row: it reads pixel j * step + offset of the source for output pixel j, and weight column `column`.
struct Tap {
  int64_t offset, column;
};

// A source row and the row of weights [kw][channels] that meets it.
struct RowPair {
  const float* source;
  const float* weights;
};

// out[j * outStep] for j in [0, count): what the row kernel needs to know.
struct Row {
  int64_t channels;
  int64_t sourceWidth, step;  // in pixels
  int64_t outStep, count;
  const RowPair* pairs;
  int64_t pairCount;
  const Tap* taps;
  int64_t tapCount;
  const float* bias;  // or nullptr
  Activation activation;
};

// Pixels j .. j + kPixels - 1, channels c .. c + kVectors * kLanes - 1; every tap lies inside the source.
template <int kPixels, int kVectors>
static inline void tile(const Row& r, const Tap* taps, int64_t tapCount, int64_t j, int64_t c, float* out) {
  vf acc[kPixels][kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const vf start = r.bias ? load(r.bias + c + v * kLanes) : vf{};
    for (int i = 0; i < kPixels; ++i) acc[i][v] = start;
  }
  const int64_t pixel = r.step * r.channels;
  for (int64_t k = 0; k < r.pairCount; ++k) {
    const float* source = r.pairs[k].source + c;
    const float* weights = r.pairs[k].weights + c;
    for (int64_t t = 0; t < tapCount; ++t) {
      const float* s = source + (j * r.step + taps[t].offset) * r.channels;
      const float* w = weights + taps[t].column * r.channels;
      for (int v = 0; v < kVectors; ++v) {
        const vf weight = load(w + v * kLanes);
        for (int i = 0; i < kPixels; ++i) acc[i][v] += load(s + i * pixel + v * kLanes) * weight;
      }
    }
  }
  for (int i = 0; i < kPixels; ++i)
    for (int v = 0; v < kVectors; ++v)
      store(out + (j + i) * r.outStep * r.channels + c + v * kLanes, activate(acc[i][v], r.activation));
}

// All channels of kPixels pixels. The last vector moves back to end at the last channel: it computes some twice.
template <int kPixels>
static inline void pixels(const Row& r, const Tap* taps, int64_t tapCount, int64_t j, float* out) {
  int64_t c = 0;
  for (; c + 2 * kLanes <= r.channels; c += 2 * kLanes) tile<kPixels, 2>(r, taps, tapCount, j, c, out);
  for (; c + kLanes <= r.channels; c += kLanes) tile<kPixels, 1>(r, taps, tapCount, j, c, out);
  if (c < r.channels) tile<kPixels, 1>(r, taps, tapCount, j, r.channels - kLanes, out);
}

// One pixel with fewer channels than a vector has lanes.
static inline void narrowPixel(const Row& r, const Tap* taps, int64_t tapCount, int64_t j, float* out) {
  alignas(64) float lanes[kLanes] = {};
  for (int64_t c = 0; c < r.channels; ++c) {
    float total = r.bias ? r.bias[c] : 0.0f;
    for (int64_t k = 0; k < r.pairCount; ++k)
      for (int64_t t = 0; t < tapCount; ++t)
        total += r.pairs[k].source[(j * r.step + taps[t].offset) * r.channels + c] *
                 r.pairs[k].weights[taps[t].column * r.channels + c];
    lanes[c] = total;
  }
  storePartial(out + j * r.outStep * r.channels, activate(load(lanes), r.activation), static_cast<int>(r.channels));
}

// The whole row; `inside` has room for tapCount taps.
static inline void computeRow(const Row& r, Tap* inside, float* out) {
  // The pixels whose taps all lie inside the source.
  int64_t lo = 0, hi = r.count;
  for (int64_t t = 0; t < r.tapCount; ++t) {
    const int64_t offset = r.taps[t].offset;
    const int64_t first = offset < 0 ? ceilDiv(-offset, r.step) : 0;
    const int64_t end = offset < r.sourceWidth ? (r.sourceWidth - 1 - offset) / r.step + 1 : 0;
    lo = first > lo ? first : lo;
    hi = smaller(hi, end);
  }
  lo = smaller(lo, r.count);
  hi = hi > lo ? hi : lo;

  const auto edge = [&](int64_t j) {
    int64_t count = 0;
    for (int64_t t = 0; t < r.tapCount; ++t) {
      const int64_t at = j * r.step + r.taps[t].offset;
      if (at >= 0 && at < r.sourceWidth) inside[count++] = r.taps[t];
    }
    if (r.channels < kLanes)
      narrowPixel(r, inside, count, j, out);
    else
      pixels<1>(r, inside, count, j, out);
  };
  for (int64_t j = 0; j < lo; ++j) edge(j);
  int64_t j = lo;
  if (r.channels < kLanes) {
    for (; j < hi; ++j) narrowPixel(r, r.taps, r.tapCount, j, out);
  } else {
    for (; j + 4 <= hi; j += 4) pixels<4>(r, r.taps, r.tapCount, j, out);
    for (; j < hi; ++j) pixels<1>(r, r.taps, r.tapCount, j, out);
  }
  for (; j < r.count; ++j) edge(j);
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

// ---- backward-weight ----

// partial[t] += sum over j in [lo, hi) of source[j * step + t * dilation] * dy[j], in pixels, for kTaps taps.
// With `keep` < kLanes only the last `keep` lanes are added, the others belong to the vector before.
template <int kTaps>
static inline void accumulateTaps(const float* source, int64_t offset, int64_t step, int64_t dilation, const float* dy,
                                  int64_t lo, int64_t hi, int64_t channels, int64_t keep, float* partial) {
  vf acc[kTaps] = {};
  for (int64_t j = lo; j < hi; ++j) {
    const vf d = load(dy + j * channels);
    const float* s = source + (j * step * channels + offset);
    for (int t = 0; t < kTaps; ++t) acc[t] += load(s + t * dilation * channels) * d;
  }
  alignas(64) int32_t lane[kLanes];
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  const vi wanted = loadi(lane) >= splati(static_cast<int32_t>(kLanes - keep));
  for (int t = 0; t < kTaps; ++t) {
    float* to = partial + t * channels;
    store(to, load(to) + (wanted ? acc[t] : vf{}));
  }
}

// The output pixels whose tap at `offset` lies inside the source.
struct Span {
  int64_t lo, hi;
};
static inline Span insideSpan(const Params& p, int64_t kx) {
  const int64_t offset = kx * p.dilationW - p.padLeft, step = p.strideW;
  const int64_t lo = offset < 0 ? smaller(ceilDiv(-offset, step), p.ow) : 0;
  const int64_t end = offset < p.w ? (p.w - 1 - offset) / step + 1 : 0;
  return {lo, clamp(end, lo, p.ow)};
}

// Adds the outer products of one row of x and one of dy, for all kx, into partial [kw][channels].
static inline void accumulateRow(const Params& p, const float* source, const float* dy, float* partial) {
  const int64_t channels = static_cast<int64_t>(p.c) * p.m, step = p.strideW, dilation = p.dilationW;
  const auto offset = [&](int64_t kx) { return (kx * dilation - p.padLeft) * channels; };
  if (channels < kLanes) {
    for (int64_t kx = 0; kx < p.kw; ++kx) {
      const Span span = insideSpan(p, kx);
      for (int64_t c = 0; c < channels; ++c) {
        float total = 0;
        for (int64_t j = span.lo; j < span.hi; ++j)
          total += source[j * step * channels + offset(kx) + c] * dy[j * channels + c];
        partial[kx * channels + c] += total;
      }
    }
    return;
  }
  for (int64_t at = 0; at < channels; at += kLanes) {
    const int64_t keep = smaller(kLanes, channels - at), c = at + keep - kLanes;
    const auto one = [&](int64_t kx, int64_t lo, int64_t hi) {
      if (lo < hi)
        accumulateTaps<1>(source, offset(kx) + c, step, dilation, dy + c, lo, hi, channels, keep,
                          partial + kx * channels + c);
    };
    int64_t kx = 0;
    for (; kx + 3 <= p.kw; kx += 3) {
      // Three taps together where all lie inside, the rest of each one by one.
      const Span first = insideSpan(p, kx), last = insideSpan(p, kx + 2);
      const int64_t lo = first.lo, hi = last.hi > lo ? last.hi : lo;
      if (lo < hi)
        accumulateTaps<3>(source, offset(kx) + c, step, dilation, dy + c, lo, hi, channels, keep,
                          partial + kx * channels + c);
      for (int64_t t = kx; t < kx + 3; ++t) {
        const Span span = insideSpan(p, t);
        one(t, span.lo, smaller(lo, span.hi));
        one(t, span.lo > hi ? span.lo : hi, span.hi);
      }
    }
    for (; kx < p.kw; ++kx) {
      const Span span = insideSpan(p, kx);
      one(kx, span.lo, span.hi);
    }
  }
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
        for (int64_t kx = 0; kx < p.kw; ++kx) {
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

  parallel(call.exec, chunks, [&](int64_t chunk, int worker) {
    float* partial = partials + chunk * stride;
    std::memset(partial, 0, static_cast<size_t>(stride) * 4);
    const RepeatedRows repeated = repeatedRows(call, x, worker);
    const int64_t end = smaller((chunk + 1) * chunkRows, rows);
    for (int64_t i = chunk * chunkRows; i < end; ++i) {
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
