// Batch normalisation over the last dimension (kernels/batch_norm/batch_norm.h).
import { gradEnabled, recomputing, record } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { type DType, type StoredLike, storedLike } from '../../tensor/dtype.js';
import { formatShape, sameShape, sizeOf } from '../../tensor/shape.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch, expectDType } from '../dispatch.js';
import { batchNormBackward } from './batch_norm.grad.js';

export const batchNormParams = struct('batch_norm', {
  rows: 'u32',
  channels: 'u32',
  training: 'u32',
  eps: 'f32',
  momentum: 'f32',
});
export const batchNormBackwardParams = struct('batch_norm_backward', { rows: 'u32', channels: 'u32', training: 'u32' });

export interface BatchNormOptions {
  /** Normalise by the batch and update the running statistics, or by the running statistics. */
  readonly training: boolean;
  /** [C]; absent: 1. */
  readonly gamma?: Tensor | null;
  /** [C]; absent: 0. */
  readonly beta?: Tensor | null;
  /** [C]. Updated in place when training, where they may be absent; needed otherwise. */
  readonly runningMean?: Tensor | null;
  readonly runningVar?: Tensor | null;
  /** The weight of the batch in the running statistics. Default 0.1, as in PyTorch. */
  readonly momentum?: number;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/**
 * y = (x - mean) / sqrt(var + epsilon) * gamma + beta for x [...,C]. Training: mean and biased variance of each channel
 * over all other dimensions, and running = (1 - momentum) running + momentum batch, with the unbiased variance
 * (biased for a single row). Else mean and var are the running ones. Ioffe and Szegedy 2015, arXiv:1502.03167.
 * @throws E_SHAPE, E_DTYPE, E_RANGE for epsilon or momentum, E_ARGUMENT without running statistics outside training
 */
export function batchNorm<D extends DType>(x: Tensor<D>, options: BatchNormOptions): Tensor<StoredLike<D>> {
  const op = 'batchNorm';
  const { training, gamma = null, beta = null, runningMean = null, runningVar = null } = options;
  const { momentum = 0.1, epsilon = 1e-5 } = options;
  expectDType(op, 'x', x, 'f32');
  const channels = x.shape.at(-1);
  if (channels === undefined) {
    throw new AnnealError('E_SHAPE', `${op}: expected x to have dimensions, received ${formatShape(x.shape)}`);
  }
  for (const [name, vector] of Object.entries({ gamma, beta, runningMean, runningVar })) {
    if (vector === null) continue;
    expectDType(op, name, vector, 'f32');
    if (!sameShape(vector.shape, [channels])) {
      throw new AnnealError('E_SHAPE', `${op}: expected ${name} [${channels}], received ${formatShape(vector.shape)}`);
    }
  }
  if (!(epsilon >= 0 && epsilon < Number.POSITIVE_INFINITY) || !(momentum >= 0 && momentum <= 1)) {
    throw new AnnealError(
      'E_RANGE',
      `${op}: expected epsilon >= 0 and momentum in [0, 1], received ${epsilon} and ${momentum}`,
    );
  }
  if (!training && (runningMean === null || runningVar === null)) {
    throw new AnnealError('E_ARGUMENT', `${op}: expected runningMean and runningVar outside training, received none`);
  }
  const rows = sizeOf(x.shape.slice(0, -1));
  const inputs = [x, gamma, beta];
  const y = empty(x.shape, storedLike(x), x.device);
  const onTape = gradEnabled() && inputs.some((input) => input?.requiresGrad);
  const mean = onTape ? empty([channels], 'f32', x.device) : null;
  const rstd = onTape ? empty([channels], 'f32', x.device) : null;
  // Second runs of a forward pass see the batch that moved the averages already.
  const running = training && recomputing() ? [null, null] : [runningMean, runningVar];
  dispatch(
    batchNormParams,
    { rows, channels, training, eps: epsilon, momentum },
    training ? inputs : [...inputs, ...running],
    training ? [y, mean, rstd, ...running] : [y, mean, rstd],
  );
  if (training) for (const updated of running) if (updated) updated.storage.version++;
  if (mean === null || rstd === null) return y;
  const saved = gamma === null ? [x, mean, rstd] : [x, gamma, mean, rstd];
  const rule = batchNormBackward({ x, gamma, mean, rstd, rows, channels, training, epsilon });
  return record(op, y, inputs, rule, { saved });
}
