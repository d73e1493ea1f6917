// Backward rules of depthwise convolution. The three kernels are linear in each operand and each other's gradients, so
// the rules hold to any order. Shapes: x [N,H,W,C], w [KH,KW,C,M], y and dy [N,OH,OW,C*M], bias [C*M].
import type { Backward } from '../../autograd/tape.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { activationGrad, type FusedActivation } from '../activation.js';
import { broadcastTo } from '../elementwise/binary.js';
import { sum } from '../reduce/reduce.js';
import { backwardData, backwardWeight, type DepthwiseGeometry, forward } from './depthwise_conv2d.js';

/** Of y = activation(conv(x, w) + bias), with respect to x, w and bias. */
export function convolutionRule(
  x: Tensor,
  w: Tensor,
  y: Tensor,
  activation: FusedActivation,
  geometry: DepthwiseGeometry,
): Backward {
  return (dy, [needsX = false, needsW = false, needsBias = false]) => {
    const dz = activationGrad(activation, y, dy); // [N,OH,OW,C*M], before the activation
    const weights = needsW ? backwardWeight(x, dz, geometry, needsBias) : null; // [KH,KW,C,M], [C*M]
    const dbias = weights ? weights.dbias : needsBias ? sum(dz, [0, 1, 2]) : null; // [C*M]
    return [needsX ? backwardData(dz, w, geometry) : null, weights?.dw ?? null, dbias];
  };
}

/** Of y = conv(x, w), with respect to x and w. */
export function forwardRule(x: Tensor, w: Tensor, geometry: DepthwiseGeometry): Backward {
  return (dy, [needsX = false, needsW = false]) => [
    needsX ? backwardData(dy, w, geometry) : null, // [N,H,W,C]
    needsW ? backwardWeight(x, dy, geometry, false).dw : null, // [KH,KW,C,M]
  ];
}

/** Of dx = backwardData(dy, w), with respect to dy and w; what arrives is g [N,H,W,C]. */
export function backwardDataRule(dy: Tensor, w: Tensor, geometry: DepthwiseGeometry): Backward {
  return (g, [needsDy = false, needsW = false]) => [
    needsDy ? forward(g, w, geometry) : null, // [N,OH,OW,C*M]
    needsW ? backwardWeight(g, dy, geometry, false).dw : null, // [KH,KW,C,M]
  ];
}

/** Of dw = backwardWeight(x, dy), with respect to x and dy; what arrives is g [KH,KW,C,M]. */
export function backwardWeightRule(x: Tensor, dy: Tensor, geometry: DepthwiseGeometry): Backward {
  return (g, [needsX = false, needsDy = false]) => [
    needsX ? backwardData(dy, g, geometry) : null, // [N,H,W,C]
    needsDy ? forward(x, g, geometry) : null, // [N,OH,OW,C*M]
  ];
}

/** Of dbias = the sum of dy over N, OH and OW; what arrives is g [C*M]. */
export function biasSumRule(shape: Shape): Backward {
  return (g) => [broadcastTo(g, shape)]; // [N,OH,OW,C*M]
}
