import { finite, makeSchedule, type Schedule } from './schedule.js';

export interface ExponentialOptions {
  /** The value at step 0. */
  readonly from: number;
  /** The decay constant per step: k = -ln(gamma) for PyTorch's ExponentialLR. */
  readonly k: number;
}

/** from * e^(-k t). Endless. @throws E_ARGUMENT */
export function exponential(options: ExponentialOptions): Schedule {
  const from = finite('exponential', 'from', options.from);
  const k = finite('exponential', 'k', options.k);
  return makeSchedule('exponential', { from, k }, Number.POSITIVE_INFINITY, (t) => from * Math.exp(-k * t));
}
