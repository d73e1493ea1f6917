// The kernels of depthwise backward-weight: sums over pixels of x times dy, for each tap and channel.
#pragma once

#include "../common/simd.h"
#include "depthwise_conv2d.h"
#include "row_kernel.h"

namespace anneal::ANNEAL_ISA {
namespace {

using Params = DepthwiseConv2dParams;

// ---- Any taps, one row of x and one of dy ----

// partial[t] += sum over j in [lo, hi) of source[j * step + t * dilation] * dy[j], in pixels, for kTaps taps and
// kVectors vectors of channels. With `keep` < kLanes only the last `keep` lanes are added: the others are done already.
template <int kTaps, int kVectors>
static inline void accumulateTaps(const float* source, int64_t offset, int64_t step, int64_t dilation, const float* dy,
                                  int64_t lo, int64_t hi, int64_t channels, int64_t keep, float* partial) {
  if (lo >= hi) return;
  vf acc[kTaps][kVectors] = {};
  for (int64_t j = lo; j < hi; ++j) {
    const float* s = source + (j * step * channels + offset);
    for (int v = 0; v < kVectors; ++v) {
      const vf d = load(dy + j * channels + v * kLanes);
      for (int t = 0; t < kTaps; ++t) acc[t][v] += load(s + t * dilation * channels + v * kLanes) * d;
    }
  }
  alignas(64) int32_t lane[kLanes];
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  const vi wanted = loadi(lane) >= splati(static_cast<int32_t>(kLanes - keep));
  for (int t = 0; t < kTaps; ++t)
    for (int v = 0; v < kVectors; ++v) {
      float* to = partial + t * channels + v * kLanes;
      store(to, load(to) + (wanted ? acc[t][v] : vf{}));
    }
}

template <int kCount> struct Vectors {
  static constexpr int count = kCount;
};

// The output pixels whose tap kx lies inside the source.
struct Span {
  int64_t lo, hi;
};
static inline Span insideSpan(const Params& p, int64_t kx) {
  const int64_t offset = kx * p.dilationW - p.padLeft, step = p.strideW;
  const int64_t lo = offset < 0 ? smaller(ceilDiv(-offset, step), p.ow) : 0;
  const int64_t end = offset < p.w ? (p.w - 1 - offset) / step + 1 : 0;
  return {lo, clamp(end, lo, p.ow)};
}

// Taps kx .. kx + kTaps - 1 of one row, channels from c on: together where all taps lie inside, else one by one.
template <int kTaps, int kVectors>
static inline void accumulateGroup(const Params& p, const float* source, const float* dy, int64_t kx, int64_t c,
                                   int64_t keep, float* partial) {
  const int64_t channels = static_cast<int64_t>(p.c) * p.m, step = p.strideW, dilation = p.dilationW;
  const auto offset = [&](int64_t k) { return (k * dilation - p.padLeft) * channels + c; };
  float* to = partial + kx * channels + c;
  const int64_t lo = insideSpan(p, kx).lo, end = insideSpan(p, kx + kTaps - 1).hi, hi = end > lo ? end : lo;
  accumulateTaps<kTaps, kVectors>(source, offset(kx), step, dilation, dy + c, lo, hi, channels, keep, to);
  if (kTaps == 1) return;
  for (int t = 0; t < kTaps; ++t) {
    const Span span = insideSpan(p, kx + t);
    const auto edge = [&](int64_t from, int64_t until) {
      accumulateTaps<1, kVectors>(source, offset(kx + t), step, dilation, dy + c, from, until, channels, keep,
                                  to + t * channels);
    };
    edge(span.lo, smaller(lo, span.hi));
    edge(span.lo > hi ? span.lo : hi, span.hi);
  }
}

// Adds the products of one row of x and one of dy, for all kx, to partial [kw][channels].
static inline void accumulateRow(const Params& p, const float* source, const float* dy, float* partial) {
  const int64_t channels = static_cast<int64_t>(p.c) * p.m;
  if (channels < kLanes) {
    for (int64_t kx = 0; kx < p.kw; ++kx) {
      const Span span = insideSpan(p, kx);
      for (int64_t c = 0; c < channels; ++c) {
        float total = 0;
        for (int64_t j = span.lo; j < span.hi; ++j)
          total += source[(j * p.strideW + kx * p.dilationW - p.padLeft) * channels + c] * dy[j * channels + c];
        partial[kx * channels + c] += total;
      }
    }
    return;
  }
  const auto taps = [&](auto wide, int64_t c, int64_t keep) {
    constexpr int kVectors = decltype(wide)::count;
    int64_t kx = 0;
    for (; kx + 3 <= p.kw; kx += 3) accumulateGroup<3, kVectors>(p, source, dy, kx, c, keep, partial);
    if (kx + 2 == p.kw) accumulateGroup<2, kVectors>(p, source, dy, kx, c, keep, partial);
    if (kx + 1 == p.kw) accumulateGroup<1, kVectors>(p, source, dy, kx, c, keep, partial);
  };
  int64_t c = 0;
  for (; c + 2 * kLanes <= channels; c += 2 * kLanes) taps(Vectors<2>{}, c, kLanes);
  for (; c + kLanes <= channels; c += kLanes) taps(Vectors<1>{}, c, kLanes);
  if (c < channels) taps(Vectors<1>{}, channels - kLanes, channels - c);
}

// ---- Neighbouring taps, a constant step, all rows of the window together ----

// Sums that live in registers beside a few pixels of dy: 25 of 32, or 10 of 16.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kMostSums = 25;
#else
constexpr int kMostSums = 10;
#endif
constexpr int kMostBlockRows = 16, kMostKernelRows = 7;
constexpr int64_t kBlockPixels = 112;  // of a block: sums are then added to memory seldom enough

// Some rows of dy and the rows of x that their windows meet, nullptr where those lie outside.
struct WeightBlock {
  int64_t channels, width, outWidth;  // of x, of dy
  int64_t first;                      // source pixel of the first tap at output pixel 0
  int64_t rows;
  const float* dy[kMostBlockRows];
  const float* x[kMostBlockRows][kMostKernelRows];
};

template <int kRows, int kTaps, int kStep, int kPixels, bool kEdge>
static inline void addPixels(const WeightBlock& b, const float* const* rows, const float* dy, int64_t j, int64_t c,
                             vf (&sums)[kRows][kTaps], vf* bias) {
  const int64_t lo = j * kStep + b.first;
  vf d[kPixels];
  ANNEAL_UNROLL for (int i = 0; i < kPixels; ++i) d[i] = load(dy + (j + i) * b.channels + c);
  if (bias != nullptr)
    ANNEAL_UNROLL for (int i = 0; i < kPixels; ++i) *bias += d[i];
  ANNEAL_UNROLL for (int y = 0; y < kRows; ++y) {
    if (rows[y] == nullptr) continue;
    const float* const source = rows[y] + c;
    ANNEAL_UNROLL for (int q = 0; q < (kPixels - 1) * kStep + kTaps; ++q) {
      if (kEdge && (lo + q < 0 || lo + q >= b.width)) continue;
      const vf x = load(source + (lo + q) * b.channels);
      ANNEAL_UNROLL for (int t = 0; t < kTaps; ++t)
        if (q >= t && (q - t) % kStep == 0 && (q - t) / kStep < kPixels) sums[y][t] += x * d[(q - t) / kStep];
    }
  }
}

// partial[(y * kTaps + t) * channels] += the sums of the last `keep` lanes from channel c on, for kRows rows of the window
// from ky on; bias likewise, where it is asked for.
template <int kRows, int kTaps, int kStep>
static void addBlock(const WeightBlock& b, int64_t ky, int64_t c, int64_t keep, float* partial, float* bias) {
  constexpr int kPixels = 4;
  vf sums[kRows][kTaps] = {};
  vf biasSum{};
  for (int64_t r = 0; r < b.rows; ++r) {
    const float* const* const rows = b.x[r] + ky;
    const float* const dy = b.dy[r];
    vf* const biasOf = bias != nullptr ? &biasSum : nullptr;
    int64_t j = 0;
    for (; j + kPixels <= b.outWidth; j += kPixels) {
      const int64_t lo = j * kStep + b.first;
      if (lo < 0 || lo + (kPixels - 1) * kStep + kTaps > b.width)
        addPixels<kRows, kTaps, kStep, kPixels, true>(b, rows, dy, j, c, sums, biasOf);
      else
        addPixels<kRows, kTaps, kStep, kPixels, false>(b, rows, dy, j, c, sums, biasOf);
    }
    for (; j < b.outWidth; ++j) addPixels<kRows, kTaps, kStep, 1, true>(b, rows, dy, j, c, sums, biasOf);
  }
  alignas(64) int32_t lane[kLanes];
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  const vi wanted = loadi(lane) >= splati(static_cast<int32_t>(kLanes - keep));
  const auto add = [&](float* to, vf sum) { store(to, load(to) + (wanted ? sum : vf{})); };
  ANNEAL_UNROLL for (int y = 0; y < kRows; ++y)
    ANNEAL_UNROLL for (int t = 0; t < kTaps; ++t) add(partial + ((ky + y) * kTaps + t) * b.channels + c, sums[y][t]);
  if (bias != nullptr) add(bias + c, biasSum);
}

using BlockFn = void (*)(const WeightBlock& b, int64_t ky, int64_t c, int64_t keep, float* partial, float* bias);

// The unrolled kernels for a shape: `many` takes `rows` rows of the window, `one` takes one.
struct BlockKernels {
  BlockFn many, one;
  int64_t rows;
};

template <int kTaps> static inline BlockKernels blockKernels(int64_t step) {
  constexpr int kRows = kMostSums / kTaps < kTaps ? kMostSums / kTaps : kTaps;
  if (step == 1) return {addBlock<kRows, kTaps, 1>, addBlock<1, kTaps, 1>, kRows};
  return {addBlock<kRows, kTaps, 2>, addBlock<1, kTaps, 2>, kRows};
}

static inline BlockKernels blockKernelsFor(const Params& p) {
  const int64_t channels = static_cast<int64_t>(p.c) * p.m;
  if (channels < kLanes || p.dilationW != 1 || p.strideW > 2 || p.kh > kMostKernelRows) return {};
  if (p.kw == 3) return blockKernels<3>(p.strideW);
  if (p.kw == 5) return blockKernels<5>(p.strideW);
  if (p.kw == 7) return blockKernels<7>(p.strideW);
  return {};
}

// A block's sums for all taps and channels, and of dy where bias is asked for.
static inline void accumulateBlock(const Params& p, const BlockKernels& kernels, const WeightBlock& b, float* partial,
                                   float* bias) {
  for (int64_t at = 0; at < b.channels; at += kLanes) {
    const int64_t c = smaller(at, b.channels - kLanes), keep = smaller(kLanes, b.channels - at);
    for (int64_t ky = 0; ky < p.kh;) {
      const bool many = ky + kernels.rows <= p.kh;
      (many ? kernels.many : kernels.one)(b, ky, c, keep, partial, ky == 0 ? bias : nullptr);
      ky += many ? kernels.rows : 1;
    }
  }
}

}  // namespace
}  // namespace anneal::ANNEAL_ISA
