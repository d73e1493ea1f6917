// Backward rules of pooling. Both kernels are linear in dy, so avg_pool2d and its backward are each other's gradients.
import { type Backward, record } from '../../autograd/tape.js';
import { AnnealError } from '../../errors.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';
import { avgPool, avgPool2dBackwardParams, maxPool2dBackwardParams, type PoolGeometry } from './pool2d.js';

/** Saves argmax i32 [N,OH,OW,C]. */
export function maxPoolBackward(argmax: Tensor, geometry: PoolGeometry): Backward {
  const { n, h, w, c } = geometry;
  return (dy) => {
    const dx = empty([n, h, w, c], 'f32', dy.device); // dy [N,OH,OW,C] -> dx [N,H,W,C]
    dispatch(maxPool2dBackwardParams, geometry, [dy, argmax], [dx]);
    return [record('maxPool2dBackward', dx, [dy], noSecondDerivative, { saved: [] })];
  };
}

/** Saves nothing. */
export function avgPoolBackward(geometry: PoolGeometry): Backward {
  const { n, h, w, c } = geometry;
  return (dy) => {
    const dx = empty([n, h, w, c], 'f32', dy.device); // dy [N,OH,OW,C] -> dx [N,H,W,C]
    dispatch(avgPool2dBackwardParams, geometry, [dy], [dx]);
    // The rule's dy is d(dx) [N,H,W,C]; the result is d(dy) [N,OH,OW,C].
    return [record('avgPool2dBackward', dx, [dy], (ddx) => [avgPool(ddx, geometry)], { saved: [] })];
  };
}

const noSecondDerivative: Backward = () => {
  throw new AnnealError(
    'E_ARGUMENT',
    'maxPool2d: expected one differentiation, but a second derivative through max_pool2d was asked for, which is not available',
  );
};
