// 2-D convolution (cross-correlation), NHWC images and HWIO weights, with stride, padding, dilation and groups.
//
//   conv2d                  [x, w, bias?] -> [y]    y[n,i,j,o] = act(b[o] + sum over (p,q,c) of x[n, i sh + p dh - top,
//                                                   j sw + q dw - left, g C/G + c] w[p,q,c,o]),  g = o / (OC/G)
//   conv2d_backward_data    [dy, w] -> [dx]         the gradient of <dy, y> with respect to x
//   conv2d_backward_weight  [x, dy] -> [dw, db?]    and with respect to w and b
//
//   x [N,H,W,C]  w [KH,KW,C/G,OC]  bias [OC]  y [N,OH,OW,OC]; all f32. What lies outside of x or y is a 0 that is
//   multiplied like any other (a NaN weight shows in the padding). Padding at the bottom and right follows from OH and OW.
//   Outputs must not overlap inputs. They are overwritten; with accumulate, dw and db are added to what is there once they
//   are summed: the bits of an addition afterwards.
//
// Ways: Winograd, window rows in place, windows in place, packed; README.md says which shape takes which.
// Accumulation: f32, in the order (p, q, c) forward but for Winograd (winograd.h says its error); backward_weight over (n, i, j) in a number of parts fixed by the
// shape, added in order. Flops: 2 N OH OW KH KW (C/G) OC each. Bytes: 4 (|x| + |w| + |y|). Compute binds, but for few
// channels (C KH KW or OC below about 32).
//
// Empty sums (KH KW C/G = 0 does not occur: each is at least 1): N, H, W of 0 give empty or zero results.
#pragma once

#include "../../native/core/op.h"

namespace anneal {

struct Conv2dParams {
  uint32_t n, h, w, c;
  uint32_t oh, ow, oc;
  uint32_t kh, kw;
  uint32_t strideH, strideW;
  uint32_t dilationH, dilationW;
  uint32_t padTop, padLeft;
  uint32_t groups;
  uint32_t activation;  // Activation, forward only
  uint32_t accumulate;  // 0 or 1, backward_weight only: dw and db are added to what is there
};

}  // namespace anneal
