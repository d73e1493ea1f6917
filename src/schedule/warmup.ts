import { choice, defineKind, finite, positive, refuse } from './kind.js';
import type { Schedule } from './schedule.js';

export interface WarmupOptions {
  /** The value at step 0. Default 0. */
  readonly from?: number;
  /** The value from step `steps` on. */
  readonly to: number;
  readonly steps: number;
  /** Default 'linear'. 'exponential' needs values of one sign. */
  readonly shape?: 'linear' | 'exponential' | 'constant';
}

export const warmupKind = defineKind(
  'warmup',
  'from a low value up to a rate: the first part of a join',
  {
    from: finite('the value at step 0', 0),
    to: finite('the value from its last step on'),
    steps: positive('its length'),
    shape: choice('how it gets there', ['linear', 'exponential', 'constant'], 'linear'),
  },
  ({ from, to, steps, shape }) => {
    if (shape === 'exponential' && !(from * to > 0))
      refuse('warmup', 'from and to of one sign for an exponential warmup', `${from} and ${to}`);
    // As two terms: exact at both ends.
    const formulas = {
      linear: (t: number) => from * (1 - t / steps) + to * (t / steps),
      exponential: (t: number) => (t < steps ? from * (to / from) ** (t / steps) : to),
      constant: (t: number) => (t < steps ? from : to),
    };
    return { length: steps, at: formulas[shape] };
  },
);

/**
 * Up to `to` within `steps`, then `to`; meant as the first part of a `join`.
 *   linear       from + (to - from) * t / steps: PyTorch's LinearLR
 *   exponential  from * (to / from)^(t / steps)
 *   constant     from: PyTorch's ConstantLR
 * @throws E_ARGUMENT
 */
export function warmup(options: WarmupOptions): Schedule {
  return warmupKind.make(options);
}
