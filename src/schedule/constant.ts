import { defineKind, finite, optional, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface ConstantOptions {
  readonly value: number;
  /** Its length within `join`. Default: endless. */
  readonly steps?: number;
}

export const constantKind = defineKind(
  'constant',
  'the same value at every step',
  { value: finite('the value'), steps: optional(positive('its length within a join; endless without')) },
  ({ value, steps = Number.POSITIVE_INFINITY }) => ({ length: steps, at: () => value }),
);

/** value, at every step. @throws E_ARGUMENT */
export function constant(options: ConstantOptions): Schedule {
  return constantKind.make(options);
}
