import { finite, makeSchedule, positive, type Schedule } from './schedule.js';

export interface ConstantOptions {
  readonly value: number;
  /** Its length within `join`. Default: endless. */
  readonly steps?: number;
}

/** value, at every step. @throws E_ARGUMENT */
export function constant(options: ConstantOptions): Schedule {
  const value = finite('constant', 'value', options.value);
  if (options.steps === undefined) return makeSchedule('constant', { value }, Number.POSITIVE_INFINITY, () => value);
  const steps = positive('constant', 'steps', options.steps);
  return makeSchedule('constant', { value, steps }, steps, () => value);
}
