// sgd_momentum_ema: SGD with momentum, weight decay and an exponential moving average of the weights, over every
// parameter of a model in one launch. Order and signs are those of torch.optim.SGD.
//
// For each segment that is not frozen, with rate = lr * segment.lrScale, wd = segment.weightDecay, and elementwise
//   g   = factor * grad + wd * p                 factor: see below
//   v   = first ? g : momentum * v + (1 - dampening) * g         (only if there is a momentum buffer, else d = g)
//   d   = nesterov ? g + momentum * v : v
//   u   = rate * d
//   p  -= u
//   ema += emaRate * (p - ema)                   (only if there is an EMA buffer; emaRate = 1 - decay)
// and, if asked, stats[s] = { sum u^2, sum p^2 }, with p the weight before the update: the update-to-weight ratio of a
// parameter is sqrt(stats[s][0] / stats[s][1]). Both are 0 for a frozen segment.
//
// factor = gradScale, the reciprocal of a loss scale for example. With the operand normSquared (the sum of squares of
// all gradients, on the device) and clipNorm > 0 it is gradScale * min(1, clipNorm / (gradScale * norm + 1e-6)), so
// that clipping to a global norm needs neither another pass nor a round trip to the host.
//
//   in  grads        f32 [n]
//       segments     i32 [segments, 8]           kernels/common/segments.h; validated when the kernel runs
//       normSquared  f32 [1], optional
//   out params       f32 [n]                     read and written, as are the next two
//       momentum     f32 [n]                     may be absent where params.momentum is 0
//       ema          f32 [n], optional
//       stats        f32 [segments, 2], optional
//
// `first` says that the momentum buffer holds nothing yet; it is then written, not read for its value.
// emaRate is 1 - decay computed in double: 1 - float(0.999) would be off by 5e-5 of itself.
// Edges: n = 0, no segments, empty segments and gaps between segments are fine; gaps are not touched. No written
// operand may overlap another. Arithmetic in f32; norms in f32 over 1024 elements, then in double in a fixed order, so
// results do not depend on the number of threads.
// Cost: 28 bytes (4 read for the gradient, 8 each for weight, momentum and EMA) and 10 flops a parameter, 4 more with
// stats: bound by memory by far.
// Reference: Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013;
// torch.optim.SGD.
#pragma once

#include <cstdint>

namespace anneal {

struct SgdMomentumEmaParams {
  uint32_t n;         // elements of the arena
  uint32_t segments;  // rows of the segment table
  uint32_t nesterov;  // 0 or 1
  uint32_t first;     // 0 or 1
  float lr;
  float momentum;
  float dampening;
  float emaRate;
  float gradScale;
  float clipNorm;     // 0: no clipping
};

}  // namespace anneal
