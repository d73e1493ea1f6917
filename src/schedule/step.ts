import { defineKind, finite, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface StepOptions {
  /** The value at step 0. */
  readonly from: number;
  /** The factor of one drop. */
  readonly gamma: number;
  /** Steps from one drop to the next. */
  readonly every: number;
}

export const stepKind = defineKind(
  'step',
  'drops by a factor at equal intervals: from * gamma^floor(t / every)',
  {
    from: finite('the value at step 0'),
    gamma: finite('the factor of one drop'),
    every: positive('steps from one drop to the next'),
  },
  ({ from, gamma, every }) => ({
    length: Number.POSITIVE_INFINITY,
    at: (t) => from * gamma ** Math.floor(t / every),
  }),
);

/** from * gamma^floor(t / every). Endless. PyTorch's StepLR. @throws E_ARGUMENT */
export function step(options: StepOptions): Schedule {
  return stepKind.make(options);
}
