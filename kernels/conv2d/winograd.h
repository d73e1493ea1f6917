// 3x3 convolution of stride 1 by Winograd's minimal filtering F(4x4, 3x3): 36 products for 16 sums of 9.
//
//   y = A^T [ sum over c of (G w G^T) * (B^T x B) ] A     for each 4x4 tile of outputs, from a 6x6 tile of inputs
//
// * is elementwise, so for each of the 36 places it is a product of matrices, [tiles, C] [C, OC], with a quarter of the
// multiplications of the direct sum.
//
// Numbers   f32. The transforms add neighbours before they multiply, so a sum inherits the rounding of the largest inputs of its
//           tile, not of its own window: some ten times the error of direct sums on values of one magnitude, which stays
//           within 4 (sqrt(9 C + 2) + 4) 2^-24 (|x| * |w|), the bound that the cases hold it to. Small integers are not
//           exact. A NaN or an infinity makes its whole 4x4 tile NaN.
// Shapes    Only where it was measured to win (winogradFits): C and OC multiples of 16 and at least 32, enough tiles to pay for
//           transforming the weights, and few of their outputs wasted. Everything else takes the direct sums.
// Flops     Reported as those of the direct sums.
// References Lavin & Gray, "Fast algorithms for convolutional neural networks" (2015), arXiv:1509.09308.
#pragma once

#include "../../native/core/op.h"
#include "../common/activation.h"

namespace anneal::ANNEAL_ISA {

// y [N,OH,OW,OC] of x [N,H,W,C] under 3x3 weights, (top, left) rows and columns of zeros before it.
struct WinogradCall {
  const float* x;
  int64_t n, h, w, c;
  int64_t top, left;
  // Weight (p, q, c, o) is at weights[(p * 3 + q) * c * oc + c * OC + o], or, for the gradient with respect to the input,
  // at weights[((2 - p) * 3 + (2 - q)) * c * oc + o * C + c]: turned by 180 degrees, channels exchanged.
  const float* weights;
  bool turned;
  float* y;
  int64_t oh, ow, oc;
  const float* bias;  // or null
  Activation activation;
};

bool winogradFits(const WinogradCall& call);
void convolveWinograd(Exec& exec, const WinogradCall& call);

}  // namespace anneal::ANNEAL_ISA
