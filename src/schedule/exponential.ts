import { defineKind, finite, flag, optional, positive, refuse } from './kind.js';
import type { Schedule } from './schedule.js';

export type ExponentialOptions = ExponentialByConstant | ExponentialByFactor;

export interface ExponentialByConstant {
  /** The value at step 0. */
  readonly from: number;
  /** The decay constant per step: k = -ln(gamma) / every. */
  readonly k: number;
}

export interface ExponentialByFactor {
  /** The value at step 0. */
  readonly from: number;
  /** The factor of one interval. */
  readonly gamma: number;
  /** Steps of an interval: of an epoch, say. Default 1. */
  readonly every?: number;
  /** Also between the ends of intervals: gamma^(t / every) without floor. Default false. */
  readonly continuous?: boolean;
}

export const exponentialKind = defineKind(
  'exponential',
  'from * e^(-k t), or by a factor for each interval: from * gamma^floor(t / every)',
  {
    from: finite('the value at step 0'),
    k: optional(finite('the decay constant per step')),
    gamma: optional(positive('in place of k: the factor of one interval')),
    every: optional(positive('steps of an interval; 1 without')),
    continuous: flag('also between the ends of intervals'),
  },
  ({ from, k, gamma, every, continuous }) => {
    const length = Number.POSITIVE_INFINITY;
    if (gamma !== undefined && k === undefined) {
      const steps = every ?? 1;
      return { length, at: (t) => from * gamma ** (continuous ? t / steps : Math.floor(t / steps)) };
    }
    if (k === undefined || gamma !== undefined || every !== undefined || continuous)
      refuse(
        'exponential',
        'k, or gamma with every and continuous',
        k === undefined ? 'neither' : `k = ${k} and others`,
      );
    return { length, at: (t) => from * Math.exp(-k * t) };
  },
);

/**
 * With k, the course's form: from * e^(-k t). With gamma, PyTorch's: from * gamma^floor(t / every), its ExponentialLR where
 * `every` is the steps of an epoch; `continuous` leaves the floor out. Endless. @throws E_ARGUMENT
 */
export function exponential(options: ExponentialOptions): Schedule {
  return exponentialKind.make(options);
}
