import { choice, defineKind, finite, nonNegative, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface WsdOptions {
  /** The value of the stable part. */
  readonly max: number;
  /** Steps from `from` to max. */
  readonly warmup: number;
  /** Steps at max. */
  readonly stable: number;
  /** Steps from max to `min`. */
  readonly decay: number;
  /** Default 0. */
  readonly from?: number;
  /** Default 0. */
  readonly min?: number;
  /** Default '1-sqrt'. */
  readonly shape?: 'linear' | 'cosine' | '1-sqrt';
}

/** What is left of the height where the share x of the decay is over. */
const decays = {
  linear: (x: number) => 1 - x,
  cosine: (x: number) => (1 + Math.cos(Math.PI * x)) / 2,
  '1-sqrt': (x: number) => 1 - Math.sqrt(x),
};

export const wsdKind = defineKind(
  'wsd',
  'warmup, stable, decay: up, along and down',
  {
    max: finite('the value of the stable part'),
    warmup: nonNegative('steps from the first value to max'),
    stable: nonNegative('steps at max'),
    decay: positive('steps from max to min'),
    from: finite('the value at step 0', 0),
    min: finite('the value from its last step on', 0),
    shape: choice('how it goes down', ['linear', 'cosine', '1-sqrt'], '1-sqrt'),
  },
  ({ max, warmup, stable, decay, from, min, shape }) => ({
    length: warmup + stable + decay,
    at: (t) => {
      if (t < warmup) return from + (max - from) * (t / warmup);
      const x = Math.min(Math.max((t - warmup - stable) / decay, 0), 1);
      return min + (max - min) * decays[shape](x);
    },
  }),
);

/**
 * Warmup-stable-decay: from + (max - from) t / warmup, then max, then with x = 0 to 1 over the steps of the decay
 * min + (max - min) * (1 - x | (1 + cos(pi x)) / 2 | 1 - sqrt(x)).
 * Hu et al., "MiniCPM", arXiv:2404.06395; 1-sqrt: Hägele et al., arXiv:2405.18392. @throws E_ARGUMENT
 */
export function wsd(options: WsdOptions): Schedule {
  return wsdKind.make(options);
}
