import { defineKind, type Formula, finite, optional, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface TriangularOptions {
  /** The value at both ends of a cycle. */
  readonly base: number;
  /** The value at its top. */
  readonly max: number;
  /** Steps from base to max. */
  readonly up: number;
  /** Steps from max to base. Default: as many as up. */
  readonly down?: number;
}

export interface ExpRangeOptions extends TriangularOptions {
  /** The height at step t is gamma^t of the first one's. */
  readonly gamma: number;
}

const fields = {
  base: finite('the value at both ends of a cycle'),
  max: finite('the value at its top'),
  up: positive('steps from base to max'),
  down: optional(positive('steps from max to base; as many as up without')),
};

interface Triangle {
  readonly base: number;
  readonly max: number;
  readonly up: number;
  readonly down: number | undefined;
}

/** `height(t, cycle)`: the share of the whole height that a triangle has there. */
function triangles({ base, max, up, down = up }: Triangle, height: (t: number, cycle: number) => number): Formula {
  const period = up + down;
  const at = (t: number): number => {
    const cycle = Math.floor(t / period);
    const within = t - cycle * period;
    const share = within <= up ? within / up : (period - within) / down;
    return base + (max - base) * share * height(t, cycle);
  };
  return { length: Number.POSITIVE_INFINITY, at };
}

export const triangularKind = defineKind(
  'triangular',
  'straight up from base to max and down again',
  fields,
  (values) => triangles(values, () => 1),
);

export const triangular2Kind = defineKind(
  'triangular2',
  'triangles, each half as high as the one before',
  fields,
  (values) => triangles(values, (_, cycle) => 0.5 ** cycle),
);

export const expRangeKind = defineKind(
  'expRange',
  'triangles whose height shrinks by a factor each step',
  { ...fields, gamma: positive('the factor on the height, each step') },
  ({ gamma, ...values }) => triangles(values, (t) => gamma ** t),
);

/**
 * Straight from base to max in `up` steps, back in `down`, and again: PyTorch's CyclicLR, mode 'triangular'. Endless. A
 * momentum that goes down where the rate goes up is one with its values exchanged: base 0.9, max 0.8.
 * Smith, "Cyclical learning rates", arXiv:1506.01186. @throws E_ARGUMENT
 */
export function triangular(options: TriangularOptions): Schedule {
  return triangularKind.make(options);
}

/** `triangular`, each cycle half as high as the one before. PyTorch's CyclicLR, mode 'triangular2'. @throws E_ARGUMENT */
export function triangular2(options: TriangularOptions): Schedule {
  return triangular2Kind.make(options);
}

/** `triangular` with a height of gamma^t (max - base). PyTorch's CyclicLR, mode 'exp_range'. @throws E_ARGUMENT */
export function expRange(options: ExpRangeOptions): Schedule {
  return expRangeKind.make(options);
}
