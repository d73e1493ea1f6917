// Backward rule of layer normalisation: one kernel, or, where the backward pass is itself recorded, the same formula
// made of ops that can be differentiated again.
import { type Backward, gradEnabled } from '../../autograd/tape.js';
import { empty, emptyAt, type Place, type Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';
import { affine, mul, rsqrt, square, sub } from '../elementwise/elementwise.js';
import { mean as meanOver, sum } from '../reduce/reduce.js';
import { reshape } from '../reshape.js';
import { layerNormBackwardParams } from './layer_norm.js';

interface Saved {
  /** [..., cols], `rows` of them. */
  readonly x: Tensor;
  /** [cols]. */
  readonly gamma: Tensor | null;
  /** [rows]. */
  readonly mean: Tensor;
  /** [rows]. */
  readonly rstd: Tensor;
  readonly rows: number;
  readonly cols: number;
  readonly epsilon: number;
}

export function layerNormBackward(saved: Saved): Backward {
  return (dy, needs, places) => (gradEnabled() ? composed(saved, dy, needs) : fused(saved, dy, needs, places));
}

function fused(
  { x, gamma, mean, rstd, rows, cols }: Saved,
  dy: Tensor,
  needs: readonly boolean[],
  places: readonly Place[],
): (Tensor | null)[] {
  const dx = empty(x.shape, 'f32', dy.device);
  const dgamma = needs[1] ? emptyAt(places[1], [cols], dy.device) : null;
  const dbeta = needs[2] ? emptyAt(places[2], [cols], dy.device) : null;
  dispatch(layerNormBackwardParams, { rows, cols }, [dy, x, gamma, mean, rstd], [dx, dgamma, dbeta]);
  return [dx, dgamma, dbeta];
}

function composed(saved: Saved, upstream: Tensor, needs: readonly boolean[]): (Tensor | null)[] {
  const { gamma, rows, cols, epsilon } = saved;
  const rowMean = (t: Tensor): Tensor => meanOver(t, 1, { keepDims: true }); // [rows,cols] -> [rows,1]
  const x = reshape(saved.x, [rows, cols]);
  const dy = reshape(upstream, [rows, cols]);
  const centred = sub(x, rowMean(x)); // [rows,cols]
  const rstd = rsqrt(affine(rowMean(square(centred)), 1, epsilon)); // [rows,1]
  const xhat = mul(centred, rstd); // [rows,cols]
  const g = gamma ? mul(dy, gamma) : dy; // [rows,cols]
  const inner = sub(sub(g, rowMean(g)), mul(xhat, rowMean(mul(g, xhat)))); // [rows,cols]
  return [
    needs[0] ? reshape(mul(rstd, inner), saved.x.shape) : null,
    needs[1] ? sum(mul(dy, xhat), 0) : null, // [cols]
    needs[2] ? sum(dy, 0) : null, // [cols]
  ];
}
