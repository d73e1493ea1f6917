import { ascending, defineKind, finite } from './kind.js';
import type { Schedule } from './schedule.js';

export interface MilestonesOptions {
  /** The value at step 0. */
  readonly from: number;
  /** The factor of one drop. */
  readonly gamma: number;
  /** The steps from which on each drop holds, ascending. One that stands there twice drops twice. */
  readonly milestones: readonly number[];
}

export const milestonesKind = defineKind(
  'milestones',
  'drops by a factor at the steps given',
  {
    from: finite('the value at step 0'),
    gamma: finite('the factor of one drop'),
    milestones: ascending('the steps of the drops', { repeats: true }),
  },
  ({ from, gamma, milestones }) => ({
    length: milestones[milestones.length - 1] ?? 0,
    at: (t) => from * gamma ** milestones.filter((milestone) => milestone <= t).length,
  }),
);

/** from * gamma^(milestones up to t). PyTorch's MultiStepLR. @throws E_ARGUMENT */
export function milestones(options: MilestonesOptions): Schedule {
  return milestonesKind.make(options);
}
