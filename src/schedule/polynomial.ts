import { defineKind, finite, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface PolynomialOptions {
  /** The value at step 0. */
  readonly from: number;
  /** The value from step `steps` on. Default 0. */
  readonly end?: number;
  readonly steps: number;
  /** Default 1: a straight line. */
  readonly power?: number;
}

export const polynomialKind = defineKind(
  'polynomial',
  'end + (from - end) * (1 - t / steps)^power',
  {
    from: finite('the value at step 0'),
    end: finite('the value from its last step on', 0),
    steps: positive('its length'),
    power: positive('1 is a straight line', 1),
  },
  ({ from, end, steps, power }) => ({
    length: steps,
    at: (t) => end + (from - end) * (1 - t / steps) ** power,
  }),
);

/** end + (from - end) * (1 - t / steps)^power, then end. With end = 0 PyTorch's PolynomialLR. @throws E_ARGUMENT */
export function polynomial(options: PolynomialOptions): Schedule {
  return polynomialKind.make(options);
}
