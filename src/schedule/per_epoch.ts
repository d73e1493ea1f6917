import { defineKind, flag, inner as innerField, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface PerEpochOptions {
  readonly stepsPerEpoch: number;
  /** Also within an epoch. Default false: a value holds for a whole epoch, as where PyTorch's scheduler steps once in one. */
  readonly continuous?: boolean;
}

export const perEpochKind = defineKind(
  'perEpoch',
  'a schedule that counts epochs',
  {
    inner: innerField('the schedule, whose steps are epochs'),
    stepsPerEpoch: positive('steps of an epoch'),
    continuous: flag('also within an epoch'),
  },
  ({ inner, stepsPerEpoch, continuous }) => ({
    length: (continuous ? inner.length : Math.ceil(inner.length)) * stepsPerEpoch,
    at: (t) => inner.at(continuous ? t / stepsPerEpoch : Math.floor(t / stepsPerEpoch)),
  }),
);

/** A schedule in epochs as one in steps: inner(floor(t / stepsPerEpoch)), without floor where `continuous`. @throws E_ARGUMENT */
export function perEpoch(inner: Schedule, options: PerEpochOptions): Schedule {
  return perEpochKind.make({ inner, ...options });
}
