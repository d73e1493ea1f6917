// adam: Adam, AdamW and AMSGrad with an exponential moving average of the weights, over every parameter of a model in
// one launch. Order and signs are those of torch.optim.Adam and torch.optim.AdamW.
//
// For each segment that is not frozen, with rate = lr * segment.lrScale, wd = segment.weightDecay, and elementwise
//   g   = factor * grad                          factor: gradScale and clipping, as in sgd_momentum_ema.h
//   Adam  (decoupled = 0): g += wd * p,  w = p
//   AdamW (decoupled = 1):               w = p * (1 - rate * wd)
//   m   = beta1 * m + beta1Rate * g              beta1Rate = 1 - beta1
//   v   = beta2 * v + beta2Rate * g^2            beta2Rate = 1 - beta2
//   x   = v, or with a vMax buffer (AMSGrad) x = vMax = max(vMax, v)
//   p'  = w - (rate / correction1) * m / (sqrt(x) / correction2 + eps)
//   ema += emaRate * (p' - ema)                  (only if there is an EMA buffer; emaRate = 1 - decay)
// where at step t = 1, 2, ... correction1 = 1 - beta1^t and correction2 = sqrt(1 - beta2^t), and the four rates and
// corrections are computed by the caller in double: in f32, 1 - 0.999 is off by 1e-5 of itself.
// If asked, stats[s] = { sum (p - p')^2, sum p^2 } (weight decay is part of the update); both 0 for a frozen segment.
//
//   in  grads        f32 [n]
//       segments     i32 [segments, 8]           kernels/common/segments.h; validated when the kernel runs
//       normSquared  f32 [1], optional
//   out params       f32 [n]                     read and written, as are the next four
//       m            f32 [n]
//       v            f32 [n]
//       vMax         f32 [n], optional
//       ema          f32 [n], optional
//       stats        f32 [segments, 2], optional
//
// Edges, accumulation and determinism are those of sgd_momentum_ema. A NaN gradient makes the element NaN.
// Cost: 28 bytes a parameter, 8 more each for vMax and EMA; 15 flops, a division and a square root among them: bound by
// memory.
// References: Kingma and Ba, "Adam", arXiv:1412.6980; Loshchilov and Hutter, "Decoupled weight decay regularization",
// arXiv:1711.05101; Reddi et al., "On the convergence of Adam and beyond", arXiv:1904.09237.
#pragma once

#include <cstdint>

namespace anneal {

struct AdamParams {
  uint32_t n;          // elements of the arena
  uint32_t segments;   // rows of the segment table
  uint32_t decoupled;  // 0: Adam (L2), 1: AdamW
  float lr;
  float beta1;
  float beta1Rate;     // 1 - beta1
  float beta2;
  float beta2Rate;     // 1 - beta2
  float eps;
  float correction1;   // 1 - beta1^t
  float correction2;   // sqrt(1 - beta2^t)
  float emaRate;       // 1 - decay
  float gradScale;
  float clipNorm;      // 0: no clipping
};

}  // namespace anneal
