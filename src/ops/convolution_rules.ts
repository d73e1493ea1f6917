// Backward rules that convolution and depthwise convolution share. The three kernels of either are linear in each operand
// and each other's gradients, so the rules hold to any order. Below, x is [N,H,W,C], y and dy are [N,OH,OW,OC], bias is
// [OC], and w is whatever the family's weights are.
import type { Backward } from '../autograd/tape.js';
import type { Shape } from '../tensor/shape.js';
import type { Place, Tensor } from '../tensor/tensor.js';
import { activationGrad, type FusedActivation } from './activation.js';
import { broadcastTo } from './elementwise/binary.js';
import { sumTo } from './reduce/sum_to.js';

/** The three kernels of a family, as recorded ops; `geometry` is what they share. */
export interface ConvolutionFamily<G> {
  forward(x: Tensor, w: Tensor, geometry: G): Tensor;
  backwardData(dy: Tensor, w: Tensor, geometry: G): Tensor;
  /** `into`: places for dw and dbias. */
  backwardWeight(
    x: Tensor,
    dy: Tensor,
    geometry: G,
    withBias: boolean,
    into?: readonly [Place, Place],
  ): { dw: Tensor; dbias: Tensor | null };
}

export interface ConvolutionRules<G> {
  /** Of y = activation(conv(x, w) + bias), with respect to x, w and bias. */
  convolution(x: Tensor, w: Tensor, y: Tensor, activation: FusedActivation, geometry: G): Backward;
  /** Of y = conv(x, w), with respect to x and w. */
  forward(x: Tensor, w: Tensor, geometry: G): Backward;
  /** Of dx = backwardData(dy, w), with respect to dy and w; what arrives has x's shape. */
  backwardData(dy: Tensor, w: Tensor, geometry: G): Backward;
  /** Of dw = backwardWeight(x, dy), with respect to x and dy; what arrives has w's shape. */
  backwardWeight(x: Tensor, dy: Tensor, geometry: G): Backward;
  /** Of dbias = the sum of dy over N, OH and OW; what arrives is [OC]. */
  biasSum(shape: Shape): Backward;
}

export function convolutionRules<G>(ops: ConvolutionFamily<G>): ConvolutionRules<G> {
  return {
    convolution:
      (x, w, y, activation, geometry) =>
      (dy, [needsX = false, needsW = false, needsBias = false], [, placeW, placeBias]) => {
        const dz = activationGrad(activation, y, dy); // [N,OH,OW,OC], before the activation
        const weights = needsW ? ops.backwardWeight(x, dz, geometry, needsBias, [placeW, placeBias]) : null; // w's shape, [OC]
        const dbias = weights ? weights.dbias : needsBias ? sumTo(dz, dz.shape.slice(-1), placeBias) : null; // [OC]
        return [needsX ? ops.backwardData(dz, w, geometry) : null, weights?.dw ?? null, dbias];
      },
    forward:
      (x, w, geometry) =>
      (dy, [needsX = false, needsW = false], [, placeW]) => [
        needsX ? ops.backwardData(dy, w, geometry) : null, // [N,H,W,C]
        needsW ? ops.backwardWeight(x, dy, geometry, false, [placeW, null]).dw : null, // w's shape
      ],
    backwardData:
      (dy, w, geometry) =>
      (g, [needsDy = false, needsW = false], [, placeW]) => [
        needsDy ? ops.forward(g, w, geometry) : null, // [N,OH,OW,OC]
        needsW ? ops.backwardWeight(g, dy, geometry, false, [placeW, null]).dw : null, // w's shape
      ],
    backwardWeight:
      (x, dy, geometry) =>
      (g, [needsX = false, needsDy = false]) => [
        needsX ? ops.backwardData(dy, g, geometry) : null, // [N,H,W,C]
        needsDy ? ops.forward(x, g, geometry) : null, // [N,OH,OW,OC]
      ],
    biasSum: (shape) => (g) => [broadcastTo(g, shape)], // [N,OH,OW,OC]
  };
}
