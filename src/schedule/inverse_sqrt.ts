import { finite, makeSchedule, type Schedule } from './schedule.js';

export interface InverseSqrtOptions {
  /** The value at steps 0 and 1. */
  readonly from: number;
}

/** from / sqrt(max(t, 1)). Endless. @throws E_ARGUMENT */
export function inverseSqrt(options: InverseSqrtOptions): Schedule {
  const from = finite('inverseSqrt', 'from', options.from);
  return makeSchedule('inverseSqrt', { from }, Number.POSITIVE_INFINITY, (t) => from / Math.sqrt(Math.max(t, 1)));
}
