// 2-D pooling over NHWC images: max_pool2d, max_pool2d_backward, avg_pool2d, avg_pool2d_backward.
//
//   window(oy, ox) = { (iy, ix) : iy = oy * strideH - padTop + ky,  ix = ox * strideW - padLeft + kx,
//                                 0 <= ky < kh, 0 <= kx < kw, (iy, ix) inside the image }
//   max:  y[n,oy,ox,c] = max over the window of x[n,iy,ix,c];  argmax = ky * kw + kx of the first maximum.
//         A NaN in the window wins (the last one, as in PyTorch); argmax then names it.
//   avg:  y[n,oy,ox,c] = sum over the window of x / d,  d = kh * kw if countIncludePad, else the window's size.
//   backward of max:  dx[n,iy,ix,c] = sum of dy[n,oy,ox,c] over the windows whose argmax is (iy, ix)
//   backward of avg:  dx[n,iy,ix,c] = sum of dy[n,oy,ox,c] / d(oy,ox) over the windows that hold (iy, ix)
//
// Shapes     x, dx [N,H,W,C] f32; y, dy [N,OH,OW,C] f32; argmax [N,OH,OW,C] i32. Dense, any 4-byte alignment.
// Operands   max_pool2d [x] -> [y, argmax?]           max_pool2d_backward [dy, argmax] -> [dx]
//            avg_pool2d [x] -> [y]                    avg_pool2d_backward [dy] -> [dx]
// Edges      Every window must meet the image (padTop < kh, (oh - 1) * strideH - padTop < h, likewise in width), so
//            there is no maximum of nothing. Windows may overlap or leave gaps; dx is 0 in the gaps. An argmax outside
//            [0, kh * kw) matches no element. The bottom and right padding is what oh and ow imply.
// Numbers    f32; an average sums each window row, then the rows, and divides once. Backward sums windows in raster
//            order.
// Tasks      forward: blocks of output rows; backward: the same where windows lie side by side, else blocks of input rows,
//            each element gathering from the few windows that hold it: no two tasks write the same element.
// Cost       forward N*OH*OW*C*KH*KW comparisons or additions; 4 bytes for each element of x and y (and of argmax).
//            Memory bound: a 2x2 maximum does 1 comparison for 5 bytes.
// Reference  PyTorch aten/src/ATen/native/cpu/MaxPoolKernel.cpp (ties, NaN), torch.nn.AvgPool2d (count_include_pad).
#pragma once

#include <cstdint>

namespace anneal {

// The parameters of all four ops; max pooling ignores countIncludePad.
struct Pool2dParams {
  uint32_t n, h, w, c;
  uint32_t oh, ow;
  uint32_t kh, kw;
  uint32_t strideH, strideW;
  uint32_t padTop, padLeft;
  uint32_t countIncludePad;  // 0 or 1
};

}  // namespace anneal
