// The row kernel of depthwise convolution, which forward and backward-data share: for each output pixel j of a row,
//   out[j*outStep] = activation(bias + sum over pairs and taps of source[j*step + offset(tap)] * weights[column(tap)])
// channel by channel, with the taps that fall outside the source left out.
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

}  // namespace
}  // namespace anneal::ANNEAL_ISA
