// The row kernel of depthwise convolution, which forward and backward-data share: for each output pixel j of a row,
//   out[j*outStep] = activation(bias + sum over pairs and taps of source[j*step + offset(tap)] * weights[column(tap)])
// channel by channel, with the taps that fall outside the source left out. Taps ascend by offset. An activation beyond relu
// needs outStep = 1.
#pragma once

#include "../common/activation.h"
#include "../common/simd.h"

namespace anneal::ANNEAL_ISA {
namespace {

static inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t clamp(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }
static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

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

// ---- Neighbouring taps, a constant step: the shapes that are worth unrolling ----

constexpr int kGroup = 7;  // pixels of a group: image sizes are multiples of 7 more often than of 8

// Pixels j .. j + kPixels - 1, all channels; the taps read source pixels j * kStep + first + t. Each source pixel of a row is
// loaded once for all the pixels and taps that meet in it. kEdge: some lie outside, and are left out.
template <int kTaps, int kStep, int kPixels, bool kEdge>
static inline void group(const Row& r, int64_t j, float* out) {
  const int64_t channels = r.channels, lo = j * kStep + r.taps[0].offset;
  const int64_t column = r.taps[0].column * channels;
  const int64_t columnStep = kTaps > 1 ? (r.taps[1].column - r.taps[0].column) * channels : 0;
  out += j * r.outStep * channels;
  for (int64_t at = 0; at < channels; at += kLanes) {
    const int64_t c = smaller(at, channels - kLanes);  // the last vector moves back: it computes some twice
    vf acc[kPixels];
    const vf start = r.bias ? load(r.bias + c) : vf{};
    ANNEAL_UNROLL for (int i = 0; i < kPixels; ++i) acc[i] = start;
    for (int64_t k = 0; k < r.pairCount; ++k) {
      vf weight[kTaps];
      ANNEAL_UNROLL for (int t = 0; t < kTaps; ++t) weight[t] = load(r.pairs[k].weights + column + t * columnStep + c);
      const float* const source = r.pairs[k].source + c;
      ANNEAL_UNROLL for (int q = 0; q < (kPixels - 1) * kStep + kTaps; ++q) {
        if (kEdge && (lo + q < 0 || lo + q >= r.sourceWidth)) continue;
        const vf x = load(source + (lo + q) * channels);
        ANNEAL_UNROLL for (int t = 0; t < kTaps; ++t)
          if (q >= t && (q - t) % kStep == 0 && (q - t) / kStep < kPixels) acc[(q - t) / kStep] += x * weight[t];
      }
    }
    if (r.activation == Activation::relu)
      ANNEAL_UNROLL for (int i = 0; i < kPixels; ++i) acc[i] = relu(acc[i]);
    ANNEAL_UNROLL for (int i = 0; i < kPixels; ++i) store(out + i * r.outStep * channels + c, acc[i]);
  }
}

template <int kTaps, int kStep> static void groupedRow(const Row& r, float* out) {
  const auto reach = [&](int64_t j) { return j * kStep + r.taps[0].offset; };
  if (r.count < kGroup) {
    for (int64_t j = 0; j < r.count; ++j) group<kTaps, kStep, 1, true>(r, j, out);
    return;
  }
  for (int64_t at = 0; at < r.count; at += kGroup) {
    const int64_t j = smaller(at, r.count - kGroup);  // the last group moves back, too
    if (reach(j) < 0 || reach(j + kGroup - 1) + kTaps > r.sourceWidth) group<kTaps, kStep, kGroup, true>(r, j, out);
    else group<kTaps, kStep, kGroup, false>(r, j, out);
  }
}

using RowFn = void (*)(const Row& r, float* out);

// The unrolled kernel for a row, or nullptr.
static inline RowFn groupedRowFor(const Row& r) {
  if (r.channels < kLanes || r.step > 2 || r.tapCount > 7) return nullptr;
  for (int64_t t = 1; t < r.tapCount; ++t)
    if (r.taps[t].offset != r.taps[0].offset + t ||
        r.taps[t].column - r.taps[t - 1].column != r.taps[1].column - r.taps[0].column)
      return nullptr;
  static constexpr RowFn known[2][8] = {
      {nullptr, groupedRow<1, 1>, groupedRow<2, 1>, groupedRow<3, 1>, groupedRow<4, 1>, groupedRow<5, 1>, nullptr,
       groupedRow<7, 1>},
      {nullptr, nullptr, nullptr, groupedRow<3, 2>, nullptr, groupedRow<5, 2>, nullptr, groupedRow<7, 2>}};
  return known[r.step - 1][r.tapCount];
}

// The whole row; `inside` has room for tapCount taps.
static inline void computeRow(const Row& r, Tap* inside, float* out) {
  if (const RowFn grouped = groupedRowFor(r)) {
    grouped(r, out);
    if (r.activation > Activation::relu)
      for (int64_t i = 0; i < r.count * r.channels; i += kLanes) {
        const int lanes = static_cast<int>(smaller(kLanes, r.count * r.channels - i));
        storePartial(out + i, activate(loadPartial(out + i, lanes), r.activation), lanes);
      }
    return;
  }
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

}  // namespace
}  // namespace anneal::ANNEAL_ISA
