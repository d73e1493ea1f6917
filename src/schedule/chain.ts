import { defineKind, parts as partsField } from './kind.js';
import type { Schedule } from './schedule.js';

export const chainKind = defineKind(
  'chain',
  'schedules multiplied with each other',
  { parts: partsField('the schedules') },
  ({ parts }) => ({
    length: Math.max(...parts.map(({ length }) => length)),
    at: (t) => parts.reduce((product, part) => product * part.at(t), 1),
  }),
);

/**
 * The product of schedules, all from step 0 on: one gives the rate, the others factors on it. PyTorch's ChainedScheduler,
 * whose schedulers each multiply one rate. @throws E_ARGUMENT
 */
export function chain(parts: readonly Schedule[]): Schedule {
  return chainKind.make({ parts });
}
