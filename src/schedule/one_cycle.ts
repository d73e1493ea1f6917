import { choice, defineKind, type Formula, finite, flag, fraction, positive, refuse } from './kind.js';
import type { Schedule } from './schedule.js';

interface CycleOptions {
  readonly steps: number;
  /** The share of the steps that the first phase takes. Default 0.3. */
  readonly pctStart?: number;
  /** How a phase goes from one value to the next. Default 'cosine'. */
  readonly anneal?: 'cosine' | 'linear';
  /** Down to the first value again in as many steps as up, and only then to the last one. Default false. */
  readonly threePhase?: boolean;
}

export interface OneCycleOptions extends CycleOptions {
  /** The highest rate. */
  readonly max: number;
  /** The first rate is max / divFactor. Default 25. */
  readonly divFactor?: number;
  /** The last rate is the first one / finalDivFactor. Default 1e4. */
  readonly finalDivFactor?: number;
}

export interface OneCycleMomentumOptions extends CycleOptions {
  /** The momentum where the rate is highest. Default 0.85. */
  readonly base?: number;
  /** The momentum at both ends. Default 0.95. */
  readonly max?: number;
}

const cycleFields = {
  steps: positive('steps of the whole cycle'),
  pctStart: fraction('the share of the steps that the first phase takes', 0.3),
  anneal: choice('how a phase goes from one value to the next', ['cosine', 'linear'], 'cosine'),
  threePhase: flag('down to the first value again as fast as up, and then to the last'),
};

interface Cycle {
  readonly steps: number;
  readonly pctStart: number;
  readonly anneal: 'cosine' | 'linear';
  readonly threePhase: boolean;
}

/** Values at the ends of phases that end where PyTorch's do: step 0 has the first value, step steps - 1 the last. */
function phases(kind: string, { steps, pctStart, anneal, threePhase }: Cycle, values: readonly number[]): Formula {
  const up = pctStart * steps - 1;
  const ends = threePhase ? [0, up, 2 * up, steps - 1] : [0, up, steps - 1];
  if (ends.some((end, i) => i > 0 && end <= (ends[i - 1] ?? 0)))
    refuse(kind, 'phases of more than one step', `pctStart = ${pctStart} of ${steps} steps`);
  const at = (t: number): number => {
    const later = ends.findIndex((end, i) => i > 0 && t <= end);
    const i = later < 0 ? ends.length - 1 : later;
    const [begin = 0, end = 0] = [ends[i - 1], ends[i]];
    const [from = 0, to = 0] = [values[i - 1], values[i]];
    const share = (t - begin) / (end - begin);
    return anneal === 'linear' ? from + (to - from) * share : to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share));
  };
  return { length: steps - 1, at };
}

export const oneCycleKind = defineKind(
  'oneCycle',
  'up to the highest rate and far down again, once',
  {
    max: finite('the highest rate'),
    ...cycleFields,
    divFactor: positive('the first rate is max / divFactor', 25),
    finalDivFactor: positive('the last rate is the first one / finalDivFactor', 1e4),
  },
  ({ max, divFactor, finalDivFactor, ...cycle }) => {
    const first = max / divFactor;
    const last = first / finalDivFactor;
    return phases('oneCycle', cycle, cycle.threePhase ? [first, max, first, last] : [first, max, last]);
  },
);

export const oneCycleMomentumKind = defineKind(
  'oneCycleMomentum',
  'the momentum that goes with oneCycle: down where the rate goes up',
  {
    base: finite('the momentum where the rate is highest', 0.85),
    max: finite('the momentum at both ends', 0.95),
    ...cycleFields,
  },
  ({ base, max, ...cycle }) =>
    phases('oneCycleMomentum', cycle, cycle.threePhase ? [max, base, max, max] : [max, base, max]),
);

/**
 * From max / divFactor up to max within pctStart of the steps, then down to max / divFactor / finalDivFactor; with
 * `threePhase` down to max / divFactor as fast as up, then to the end. PyTorch's OneCycleLR.
 * Smith and Topin, "Super-Convergence", arXiv:1708.07120. @throws E_ARGUMENT
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  return oneCycleKind.make(options);
}

/**
 * The momentum (of SGD) or first beta (of Adam) that PyTorch's OneCycleLR sets beside the rate: from max down to base while
 * the rate goes up, and back. @throws E_ARGUMENT
 */
export function oneCycleMomentum(options: OneCycleMomentumOptions): Schedule {
  return oneCycleMomentumKind.make(options);
}
