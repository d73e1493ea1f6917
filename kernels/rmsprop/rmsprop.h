// rmsprop: RMSprop, plain or centered, with momentum and an exponential moving average of the weights, over every
// parameter of a model in one launch. Order and signs are those of torch.optim.RMSprop.
//
// For each segment that is not frozen, with rate = lr * segment.lrScale, wd = segment.weightDecay, and elementwise
//   g   = factor * grad + wd * p                 factor: gradScale and clipping, as in sgd_momentum_ema.h
//   v   = alpha * v + alphaRate * g^2            alphaRate = 1 - alpha
//   x   = v, or with a meanGrad buffer (centered)  a = alpha * a + alphaRate * g,  x = max(v - a^2, 0)
//   d   = g / (sqrt(x) + eps)
//   d   = b = momentum * b + d                   (only if there is a momentum buffer)
//   u   = rate * d
//   p  -= u
//   ema += emaRate * (p - ema)                   (only if there is an EMA buffer; emaRate = 1 - decay)
// and, if asked, stats[s] = { sum u^2, sum p^2 }, with p the weight before the update; both 0 for a frozen segment.
// The rates are computed by the caller in double.
//
// The variance v - a^2 is not negative but for rounding; max(., 0) keeps that rounding from becoming NaN, where
// PyTorch's does. A NaN stays NaN.
//
//   in  grads        f32 [n]
//       segments     i32 [segments, 8]           kernels/common/segments.h; validated when the kernel runs
//       normSquared  f32 [1], optional
//   out params       f32 [n]                     read and written, as are the next four
//       v            f32 [n]
//       meanGrad     f32 [n], optional
//       momentum     f32 [n]                     may be absent where params.momentum is 0
//       ema          f32 [n], optional
//       stats        f32 [segments, 2], optional
//
// Edges, accumulation and determinism are those of sgd_momentum_ema.
// Cost: 20 bytes a parameter, 8 more each for meanGrad, momentum and EMA; 11 to 21 flops, a division and a square
// root: bound by memory.
// References: Tieleman and Hinton, "Lecture 6.5 - RMSProp", 2012; Graves, arXiv:1308.0850 (centered).
#pragma once

#include <cstdint>

namespace anneal {

struct RmspropParams {
  uint32_t n;         // elements of the arena
  uint32_t segments;  // rows of the segment table
  float lr;
  float alpha;
  float alphaRate;    // 1 - alpha
  float eps;
  float momentum;
  float emaRate;      // 1 - decay
  float gradScale;
  float clipNorm;     // 0: no clipping
};

}  // namespace anneal
