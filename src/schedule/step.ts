import { finite, makeSchedule, positive, type Schedule } from './schedule.js';

export interface StepOptions {
  /** The value at step 0. */
  readonly from: number;
  /** The factor of one drop. */
  readonly gamma: number;
  /** Steps from one drop to the next. */
  readonly every: number;
}

/** from * gamma^floor(t / every). Endless. PyTorch's StepLR. @throws E_ARGUMENT */
export function step(options: StepOptions): Schedule {
  const from = finite('step', 'from', options.from);
  const gamma = finite('step', 'gamma', options.gamma);
  const every = positive('step', 'every', options.every);
  return makeSchedule(
    'step',
    { from, gamma, every },
    Number.POSITIVE_INFINITY,
    (t) => from * gamma ** Math.floor(t / every),
  );
}
