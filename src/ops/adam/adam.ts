// adam: one step of Adam, AdamW or AMSGrad over the flat arena, in place (kernels/adam/adam.h).
import { type FieldValues, type Live, mapLive, struct } from '../../backend/params.js';
import type { Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';
import type { ArenaOperands } from '../sgd_momentum_ema/sgd_momentum_ema.js';

const fields = {
  n: 'u32',
  segments: 'u32',
  decoupled: 'u32',
  lr: 'f32',
  beta1: 'f32',
  beta1Rate: 'f32',
  beta2: 'f32',
  beta2Rate: 'f32',
  eps: 'f32',
  correction1: 'f32',
  correction2: 'f32',
  emaRate: 'f32',
  gradScale: 'f32',
  clipNorm: 'f32',
} as const;

export const adamParams = struct('adam', fields);

export interface AdamOperands extends ArenaOperands {
  /** f32 [n] each, updated in place; vMax for AMSGrad only. */
  readonly m: Tensor<'f32'>;
  readonly v: Tensor<'f32'>;
  readonly vMax: Tensor<'f32'> | null;
}

/**
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; p -= lr / correction1 * m / (sqrt(v) / correction2 + eps).
 * @throws E_SHAPE, E_ARGUMENT; E_RANGE from the queue for a bad segment table
 */
export function adam(values: Live<Omit<FieldValues<typeof fields>, 'n' | 'segments'>>, on: AdamOperands): void {
  dispatch(
    adamParams,
    mapLive(values, (given) => ({ ...given, n: on.params.size, segments: on.segments.size / 8 })),
    [on.grads, on.segments, on.normSquared],
    [on.params, on.m, on.v, on.vMax, on.ema, on.stats],
  );
}
