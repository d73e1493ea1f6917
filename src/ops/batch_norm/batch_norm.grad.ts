// Backward rule of batch normalisation: one kernel, or, where the backward pass is itself recorded, the same formula
// made of ops that can be differentiated again.
import { type Backward, gradEnabled } from '../../autograd/tape.js';
import { empty, emptyAt, type Place, type Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';
import { affine, mul, rsqrt, square, sub } from '../elementwise/elementwise.js';
import { mean as meanOver, sum } from '../reduce/reduce.js';
import { reshape } from '../reshape.js';
import { batchNormBackwardParams } from './batch_norm.js';

interface Saved {
  /** [..., channels], `rows` of them. */
  readonly x: Tensor;
  /** [channels]. */
  readonly gamma: Tensor | null;
  /** [channels]: what x was normalised by. */
  readonly mean: Tensor;
  readonly rstd: Tensor;
  readonly rows: number;
  readonly channels: number;
  readonly training: boolean;
  readonly epsilon: number;
}

export function batchNormBackward(saved: Saved): Backward {
  return (dy, needs, places) => (gradEnabled() ? composed(saved, dy, needs) : fused(saved, dy, needs, places));
}

function fused(saved: Saved, dy: Tensor, needs: readonly boolean[], places: readonly Place[]): (Tensor | null)[] {
  const { x, gamma, mean, rstd, rows, channels, training } = saved;
  const dx = empty(x.shape, 'f32', dy.device);
  const dgamma = needs[1] ? emptyAt(places[1], [channels], dy.device) : null;
  const dbeta = needs[2] ? emptyAt(places[2], [channels], dy.device) : null;
  dispatch(batchNormBackwardParams, { rows, channels, training }, [dy, x, gamma, mean, rstd], [dx, dgamma, dbeta]);
  return [dx, dgamma, dbeta];
}

function composed(saved: Saved, upstream: Tensor, needs: readonly boolean[]): (Tensor | null)[] {
  const { gamma, rows, channels, training, epsilon } = saved;
  const batchMean = (t: Tensor): Tensor => meanOver(t, 0, { keepDims: true }); // [rows,channels] -> [1,channels]
  const x = reshape(saved.x, [rows, channels]);
  const dy = reshape(upstream, [rows, channels]);
  // In training mean and rstd depend on x; else they are constants.
  const centred = sub(x, training ? batchMean(x) : saved.mean); // [rows,channels]
  const rstd = training ? rsqrt(affine(batchMean(square(centred)), 1, epsilon)) : saved.rstd; // [1,channels]
  const xhat = mul(centred, rstd); // [rows,channels]
  const scale = gamma ? mul(rstd, gamma) : rstd; // [1,channels]
  const inner = training ? sub(sub(dy, batchMean(dy)), mul(xhat, batchMean(mul(dy, xhat)))) : dy; // [rows,channels]
  return [
    needs[0] ? reshape(mul(inner, scale), saved.x.shape) : null,
    needs[1] ? sum(mul(dy, xhat), 0) : null, // [channels]
    needs[2] ? sum(dy, 0) : null, // [channels]
  ];
}
