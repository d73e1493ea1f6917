import { finite, makeSchedule, positive, type Schedule } from './schedule.js';

export interface CosineOptions {
  /** The value at step 0. */
  readonly from: number;
  /** The value from step `steps` on. Default 0. */
  readonly min?: number;
  readonly steps: number;
}

/**
 * min + (from - min) / 2 * (1 + cos(pi t / steps)), then min: one half wave, without restarts.
 * Loshchilov and Hutter, "SGDR", arXiv:1608.03983, eq. 5; PyTorch's CosineAnnealingLR. @throws E_ARGUMENT
 */
export function cosine(options: CosineOptions): Schedule {
  const from = finite('cosine', 'from', options.from);
  const min = finite('cosine', 'min', options.min ?? 0);
  const steps = positive('cosine', 'steps', options.steps);
  return makeSchedule(
    'cosine',
    { from, min, steps },
    steps,
    (t) => min + ((from - min) / 2) * (1 + Math.cos((Math.PI * t) / steps)),
  );
}
