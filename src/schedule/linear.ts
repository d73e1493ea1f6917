import { finite, makeSchedule, positive, type Schedule } from './schedule.js';

export interface LinearOptions {
  /** The value at step 0. */
  readonly from: number;
  /** The value from step `steps` on. Default 0. */
  readonly end?: number;
  readonly steps: number;
}

/** from + (end - from) * t / steps, then end. With end = 0: from * (1 - t / steps). @throws E_ARGUMENT */
export function linear(options: LinearOptions): Schedule {
  const from = finite('linear', 'from', options.from);
  const end = finite('linear', 'end', options.end ?? 0);
  const steps = positive('linear', 'steps', options.steps);
  return makeSchedule('linear', { from, end, steps }, steps, (t) => from * (1 - t / steps) + end * (t / steps));
}
