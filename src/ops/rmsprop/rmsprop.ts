// rmsprop: one step of RMSprop over the flat arena, in place (kernels/rmsprop/rmsprop.h).
import { type FieldValues, type Live, mapLive, struct } from '../../backend/params.js';
import type { Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';
import type { ArenaOperands } from '../sgd_momentum_ema/sgd_momentum_ema.js';

const fields = {
  n: 'u32',
  segments: 'u32',
  lr: 'f32',
  alpha: 'f32',
  alphaRate: 'f32',
  eps: 'f32',
  momentum: 'f32',
  emaRate: 'f32',
  gradScale: 'f32',
  clipNorm: 'f32',
} as const;

export const rmspropParams = struct('rmsprop', fields);

export interface RmspropOperands extends ArenaOperands {
  /** f32 [n] each, updated in place; meanGrad if centered, momentum null where it is 0. */
  readonly v: Tensor<'f32'>;
  readonly meanGrad: Tensor<'f32'> | null;
  readonly momentum: Tensor<'f32'> | null;
}

/**
 * v = alpha v + (1 - alpha) g^2; d = g / (sqrt(v - meanGrad^2) + eps); b = momentum b + d; p -= lr b.
 * @throws E_SHAPE, E_ARGUMENT; E_RANGE from the queue for a bad segment table
 */
export function rmsprop(values: Live<Omit<FieldValues<typeof fields>, 'n' | 'segments'>>, on: RmspropOperands): void {
  dispatch(
    rmspropParams,
    mapLive(values, (given) => ({ ...given, n: on.params.size, segments: on.segments.size / 8 })),
    [on.grads, on.segments, on.normSquared],
    [on.params, on.v, on.meanGrad, on.momentum, on.ema, on.stats],
  );
}
