import { defineKind, finite, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface CosineOptions {
  /** The value at step 0. */
  readonly from: number;
  /** The value from step `steps` on. Default 0. */
  readonly min?: number;
  readonly steps: number;
}

export const cosineKind = defineKind(
  'cosine',
  'half a wave of cosine, from the top to min',
  {
    from: finite('the value at step 0'),
    min: finite('the value from its last step on', 0),
    steps: positive('its length'),
  },
  ({ from, min, steps }) => ({
    length: steps,
    at: (t) => min + ((from - min) / 2) * (1 + Math.cos((Math.PI * t) / steps)),
  }),
);

/**
 * min + (from - min) / 2 * (1 + cos(pi t / steps)), then min: one half wave, without restarts. PyTorch's CosineAnnealingLR,
 * which turns up again past its end, where this one stays.
 * Loshchilov and Hutter, "SGDR", arXiv:1608.03983, eq. 5. @throws E_ARGUMENT
 */
export function cosine(options: CosineOptions): Schedule {
  return cosineKind.make(options);
}
