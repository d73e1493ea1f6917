// Layer normalisation over the last dimension (kernels/layer_norm/layer_norm.h).
import { gradEnabled, record } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { type DType, type StoredLike, storedLike } from '../../tensor/dtype.js';
import { formatShape, sameShape, sizeOf } from '../../tensor/shape.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch, expectDType } from '../dispatch.js';
import { layerNormBackward } from './layer_norm.grad.js';

export const layerNormParams = struct('layer_norm', { rows: 'u32', cols: 'u32', eps: 'f32' });
export const layerNormBackwardParams = struct('layer_norm_backward', { rows: 'u32', cols: 'u32' });

export interface LayerNormOptions {
  /** [C]; absent: 1. */
  readonly gamma?: Tensor | null;
  /** [C]; absent: 0. */
  readonly beta?: Tensor | null;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * y = (x - mean) / sqrt(var + epsilon) * gamma + beta, mean and (biased) variance over the last dimension C of
 * x [...,C]. Ba, Kiros and Hinton 2016, arXiv:1607.06450.
 * @throws E_SHAPE, E_DTYPE, E_RANGE for a negative epsilon
 */
export function layerNorm<D extends DType>(x: Tensor<D>, options: LayerNormOptions = {}): Tensor<StoredLike<D>> {
  const op = 'layerNorm';
  const { gamma = null, beta = null, epsilon = 1e-5 } = options;
  expectDType(op, 'x', x, 'f32');
  const cols = x.shape.at(-1);
  if (cols === undefined) {
    throw new AnnealError('E_SHAPE', `${op}: expected x to have dimensions, received ${formatShape(x.shape)}`);
  }
  for (const [name, scale] of [
    ['gamma', gamma],
    ['beta', beta],
  ] as const) {
    if (scale === null) continue;
    expectDType(op, name, scale, 'f32');
    if (!sameShape(scale.shape, [cols])) {
      throw new AnnealError('E_SHAPE', `${op}: expected ${name} [${cols}], received ${formatShape(scale.shape)}`);
    }
  }
  if (!(epsilon >= 0 && epsilon < Number.POSITIVE_INFINITY)) {
    throw new AnnealError('E_RANGE', `${op}: expected a finite epsilon of at least 0, received ${epsilon}`);
  }
  const rows = sizeOf(x.shape.slice(0, -1));
  const inputs = [x, gamma, beta];
  const y = empty(x.shape, storedLike(x), x.device);
  const onTape = gradEnabled() && inputs.some((input) => input?.requiresGrad);
  const mean = onTape ? empty([rows], 'f32', x.device) : null;
  const rstd = onTape ? empty([rows], 'f32', x.device) : null;
  dispatch(layerNormParams, { rows, cols, eps: epsilon }, inputs, [y, mean, rstd]);
  if (mean === null || rstd === null) return y;
  const saved = gamma === null ? [x, mean, rstd] : [x, gamma, mean, rstd];
  return record(op, y, inputs, layerNormBackward({ x, gamma, mean, rstd, rows, cols, epsilon }), { saved });
}
