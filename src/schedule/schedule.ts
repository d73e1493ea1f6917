// What a schedule is.
import { AnnealError } from '../errors.js';
import type { JsonValue } from '../io/json.js';

/** What a schedule serialises to; `fromJSON` makes it again. */
export type ScheduleJson = {
  readonly kind: string;
  readonly params: ScheduleParams;
};

export type ScheduleParams = { readonly [name: string]: JsonValue };

/**
 * A value as a pure function of the step t = 0, 1, 2, ...: it has no state, so it plots, serialises and resumes as it is.
 * Past its length a schedule holds its last value.
 */
export interface Schedule {
  readonly kind: string;
  /** The numbers it is made of, defaults filled in. */
  readonly params: ScheduleParams;
  /** Steps after which the value no longer changes; Infinity if there is no such step or none was given. */
  readonly length: number;
  /** The value at step t >= 0, not necessarily an integer. @throws E_ARGUMENT */
  at(t: number): number;
  toJSON(): ScheduleJson;
}

/** Where a rate is accepted: a number that never changes, or a schedule. */
export type Rate = number | Schedule;

/** The value of a rate at step t. */
export function rateAt(rate: Rate, t: number): number {
  return typeof rate === 'number' ? rate : rate.at(t);
}

export function isSchedule(value: unknown): value is Schedule {
  // An array has an at(), too.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return 'at' in value && typeof value.at === 'function' && 'toJSON' in value && typeof value.toJSON === 'function';
}

/** A schedule from its formula, which is only asked for t in [0, length]. */
export function makeSchedule(
  kind: string,
  params: ScheduleParams,
  length: number,
  formula: (t: number) => number,
): Schedule {
  return {
    kind,
    params,
    length,
    at(t) {
      if (!(t >= 0)) throw new AnnealError('E_ARGUMENT', `${kind}: expected a step of at least 0, received ${t}`);
      return formula(Math.min(t, length));
    },
    toJSON: () => ({ kind, params }),
  };
}
