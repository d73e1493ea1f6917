// Backward rules of pooling. All are linear in what arrives, so they can be differentiated again, to any order.
import { type Backward, record } from '../../autograd/tape.js';
import { AnnealError } from '../../errors.js';
import { empty, type Tensor, tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';
import { add, div, mod, mul } from '../elementwise/elementwise.js';
import { gatherRows } from '../gather/gather.js';
import { reshape } from '../reshape.js';
import { avgPool, avgPool2dBackwardParams, maxPool2dBackwardParams, type PoolGeometry } from './pool2d.js';

/** Saves argmax i32 [N,OH,OW,C]. */
export function maxPoolBackward(argmax: Tensor, geometry: PoolGeometry): Backward {
  const { n, h, w, c } = geometry;
  return (dy) => {
    const dx = empty([n, h, w, c], 'f32', dy.device); // dy [N,OH,OW,C] -> dx [N,H,W,C]
    dispatch(maxPool2dBackwardParams, geometry, [dy, argmax], [dx]);
    // The gradient of dx with respect to dy takes from what arrives, [N,H,W,C], the items that were the maxima.
    const rule: Backward = (ddx) => [gatherRows(reshape(ddx, [ddx.size]), placesOf(argmax, geometry))];
    return [record('maxPool2dBackward', dx, [dy], rule, { saved: [argmax] })];
  };
}

/** argmax, which counts within each window, as the index of that item in x: i32 [N,OH,OW,C]. */
function placesOf(argmax: Tensor, geometry: PoolGeometry): Tensor {
  const { n, h, w, c, oh, ow, kw, strideH, strideW, padTop, padLeft } = geometry;
  if (n * h * w * c >= 2 ** 31) {
    throw new AnnealError(
      'E_RANGE',
      `maxPool2d: expected x below 2^31 items for a second derivative, received ${n * h * w * c}`,
    );
  }
  const integers = (length: number, value: (i: number) => number, shape: readonly number[]): Tensor =>
    tensor(
      Int32Array.from({ length }, (_, i) => value(i)),
      shape,
      { device: argmax.device },
    );
  const top = (i: number): number => (Math.floor(i / oh) * h + (i % oh) * strideH - padTop) * w * c;
  const rows = integers(n * oh, top, [n, oh, 1, 1]);
  const columns = integers(ow, (ox) => (ox * strideW - padLeft) * c, [ow, 1]);
  const channels = integers(c, (channel) => channel, [c]);
  const inWindow = mul(add(mul(div(argmax, kw), w), mod(argmax, kw)), c);
  return add(add(add(inWindow, rows), columns), channels);
}

/** Saves nothing. */
export function avgPoolBackward(geometry: PoolGeometry): Backward {
  const { n, h, w, c } = geometry;
  return (dy) => {
    const dx = empty([n, h, w, c], 'f32', dy.device); // dy [N,OH,OW,C] -> dx [N,H,W,C]
    dispatch(avgPool2dBackwardParams, geometry, [dy], [dx]);
    // avg_pool2d and its backward are each other's gradients: [N,H,W,C] -> [N,OH,OW,C].
    return [record('avgPool2dBackward', dx, [dy], (ddx) => [avgPool(ddx, geometry)], { saved: [] })];
  };
}
