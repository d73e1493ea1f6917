import { finite, makeSchedule, positive, type Schedule } from './schedule.js';

export interface WarmupOptions {
  /** The value at step 0. Default 0. */
  readonly from?: number;
  /** The value from step `steps` on. */
  readonly to: number;
  readonly steps: number;
}

/** from + (to - from) * t / steps, then to. Meant as the first part of a `join`. @throws E_ARGUMENT */
export function warmup(options: WarmupOptions): Schedule {
  const from = finite('warmup', 'from', options.from ?? 0);
  const to = finite('warmup', 'to', options.to);
  const steps = positive('warmup', 'steps', options.steps);
  return makeSchedule('warmup', { from, to, steps }, steps, (t) => from * (1 - t / steps) + to * (t / steps));
}
