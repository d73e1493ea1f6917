// sgd_momentum_ema: one SGD step over the flat arena, in place (kernels/sgd_momentum_ema/sgd_momentum_ema.h).
import { type FieldValues, type Live, mapLive, struct } from '../../backend/params.js';
import type { Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';

const fields = {
  n: 'u32',
  segments: 'u32',
  nesterov: 'u32',
  first: 'u32',
  lr: 'f32',
  momentum: 'f32',
  dampening: 'f32',
  emaRate: 'f32',
  gradScale: 'f32',
  clipNorm: 'f32',
} as const;

export const sgdMomentumEmaParams = struct('sgd_momentum_ema', fields);

/** What every optimizer op works on: parallel flat buffers, and the table that says which elements form a parameter. */
export interface ArenaOperands {
  /** f32 [n]. */
  readonly grads: Tensor<'f32'>;
  /** i32 [segments, 8], rows as in kernels/common/segments.h. */
  readonly segments: Tensor<'i32'>;
  /** f32 [1]: the sum of squares of all gradients, for clipping. */
  readonly normSquared: Tensor | null;
  /** f32 [n], updated in place. */
  readonly params: Tensor<'f32'>;
  /** f32 [n], updated in place. */
  readonly ema: Tensor<'f32'> | null;
  /** f32 [segments, 2], written: sums of squares of the update and of the weight before it. */
  readonly stats: Tensor<'f32'> | null;
}

export interface SgdOperands extends ArenaOperands {
  /** f32 [n], updated in place; null where momentum is 0. */
  readonly momentum: Tensor<'f32'> | null;
}

/**
 * g = grad * gradScale + wd * p; v = first ? g : momentum * v + (1 - dampening) * g; d = nesterov ? g + momentum * v : v;
 * p -= lr * d; ema += emaRate * (p - ema). @throws E_SHAPE, E_ARGUMENT; E_RANGE from the queue for a bad segment table
 */
export function sgdMomentumEma(
  values: Live<Omit<FieldValues<typeof fields>, 'n' | 'segments'>>,
  on: SgdOperands,
): void {
  dispatch(
    sgdMomentumEmaParams,
    mapLive(values, (given) => ({ ...given, n: on.params.size, segments: on.segments.size / 8 })),
    [on.grads, on.segments, on.normSquared],
    [on.params, on.momentum, on.ema, on.stats],
  );
}
