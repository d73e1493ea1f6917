// Depthwise convolution of NHWC images: depthwise_conv2d, depthwise_conv2d_backward_data,
// depthwise_conv2d_backward_weight. Each channel c has m filters of its own; filter j makes output channel c*m + j.
//
//   y[n,oy,ox,c*m+j] = act(bias[c*m+j] + sum over ky,kx of x[n,iy,ix,c] * w[ky,kx,c,j])
//     iy = oy * strideH - padTop + ky * dilationH,  ix = ox * strideW - padLeft + kx * dilationW; outside: x = 0
//   dx[n,iy,ix,c]    = sum over j and the (oy,ox,ky,kx) that reach (iy,ix) of dy[n,oy,ox,c*m+j] * w[ky,kx,c,j]
//   dw[ky,kx,c,j]    = sum over n,oy,ox of x[n,iy,ix,c] * dy[n,oy,ox,c*m+j]
//   dbias[k]         = sum over n,oy,ox of dy[n,oy,ox,k]
//
// Shapes     x, dx [N,H,W,C]; w, dw [KH,KW,C,M]; bias, dbias [C*M]; y, dy [N,OH,OW,C*M]. f32, dense, any alignment.
// Operands   depthwise_conv2d [x, w, bias?] -> [y]
//            depthwise_conv2d_backward_data [dy, w] -> [dx]           dy is the gradient before the activation
//            depthwise_conv2d_backward_weight [x, dy] -> [dw, dbias?]
// Blocking   All three walk rows with vectors over the C*M output channels, which are contiguous in w, y and dy.
//            Forward and backward-data share one row kernel, out[j] = sum over taps t of src[j*step + offset(t)]*w(t)
//            Forward has one such row with step = strideW; backward-data one for each phase of strideW with step 1, so
//            any stride is dense. Neighbouring taps at a step of 1 or 2 are unrolled: 7 pixels by a vector of channels,
//            each source vector loaded once for all pixels and taps that meet in it; other shapes take 4 pixels x 2
//            vectors, tap by tap. With m > 1 the channels of x are repeated m times into scratch first (each input row
//            once while windows slide down), and backward-data folds its row of C*M sums to C.
//            Backward-weight splits N*OH rows into at most 32 chunks fixed by the shape; each sums its own partial dw, and
//            the partials are added in order. 3, 5 or 7 neighbouring taps: the sums of all taps of a vector of channels
//            (or of as many rows of them as fit) stay in registers over a block of rows of about 112 pixels. Others go
//            row by row, three taps at a time.
// Numbers    f32 accumulation. dw: each block of rows first, then the blocks of the chunk, then the chunks.
// Edges      Windows may lie partly or wholly in the padding. Any stride, dilation and padding; sizes of 0.
// Cost       2*N*OH*OW*C*M*KH*KW flops each; 4 bytes for each element of its operands. A 3x3 does 18 flops for 8 bytes:
//            memory bound where the image does not fit the cache.
// Reference  torch.nn.Conv2d(groups=C), tf.nn.depthwise_conv2d (the weight layout).
#pragma once

#include <cstdint>

namespace anneal {

// The parameters of all three ops; `activation` (common/activation.h) belongs to the forward op and is 0 in the others.
struct DepthwiseConv2dParams {
  uint32_t n, h, w, c;
  uint32_t m;
  uint32_t oh, ow;
  uint32_t kh, kw;
  uint32_t strideH, strideW;
  uint32_t dilationH, dilationW;
  uint32_t padTop, padLeft;
  uint32_t activation;
};

}  // namespace anneal
