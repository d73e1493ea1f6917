import { choice, defineKind, finite, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface SwaRateOptions {
  /** The value at step 0: where the schedule before it in a `join` ended. */
  readonly from: number;
  /** The value from step `steps` on. */
  readonly to: number;
  readonly steps: number;
  /** Default 'cosine'. */
  readonly anneal?: 'cosine' | 'linear';
}

export const swaRateKind = defineKind(
  'swaRate',
  "from another schedule's end to the constant rate of stochastic weight averaging",
  {
    from: finite('the value at step 0'),
    to: finite('the value from its last step on'),
    steps: positive('steps of the way there'),
    anneal: choice('how it gets there', ['cosine', 'linear'], 'cosine'),
  },
  ({ from, to, steps, anneal }) => ({
    length: steps,
    at: (t) => {
      const share = anneal === 'linear' ? t / steps : (1 - Math.cos((Math.PI * t) / steps)) / 2;
      return from * (1 - share) + to * share;
    },
  }),
);

/**
 * The rate of stochastic weight averaging, up or down from where the schedule before it in a `join` ended:
 * from (1 - a) + to a with a = (1 - cos(pi t / steps)) / 2, or t / steps where linear; then `to`. PyTorch's SWALR.
 * Izmailov et al., arXiv:1803.05407. @throws E_ARGUMENT
 */
export function swaRate(options: SwaRateOptions): Schedule {
  return swaRateKind.make(options);
}
