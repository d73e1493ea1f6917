// Parameter groups: which parameters learn faster, decay, or stand still. They are columns of the segment table, so any
// number of groups is still one launch.
import { AnnealError } from '../errors.js';
import { isSchedule, type Rate } from '../schedule/index.js';
import type { Tensor } from '../tensor/tensor.js';

/** By pattern, by exact names, or by a function of name and parameter. */
export type Match = RegExp | readonly string[] | ((name: string, parameter: Tensor<'f32'>) => boolean);

export interface ParameterGroup {
  readonly match: Match;
  /** The group's rate is lr * lrScale: a number, or a schedule of the step. Default 1. */
  readonly lrScale?: Rate;
  /** Default: the optimizer's weightDecay, but none for parameters of rank 0 and 1 (biases, norms). */
  readonly weightDecay?: Rate;
  /** Not updated at all. Default false. */
  readonly frozen?: boolean;
}

/** How one parameter is treated. */
export interface Treatment {
  readonly lrScale: Rate;
  readonly weightDecay: Rate;
  /** On lrScale: what scaleRate has made of it. */
  factor: number;
  frozen: boolean;
}

export function matches(match: Match, name: string, parameter: Tensor<'f32'>): boolean {
  if (match instanceof RegExp) return name.search(match) >= 0; // unlike test(), blind to lastIndex
  return typeof match === 'function' ? match(name, parameter) : match.includes(name);
}

/** @throws E_ARGUMENT unless the value is a finite number of at least 0 */
export function nonNegative(op: string, name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${op}: expected ${name} to be a number of at least 0, received ${String(value)}`,
    );
  }
  return value;
}

/** @throws E_ARGUMENT unless it is a schedule or a number of at least 0 */
export function checkRate(kind: string, name: string, rate: unknown): Rate {
  return isSchedule(rate) ? rate : nonNegative(kind, name, rate);
}

/**
 * The treatment of each parameter, by name: that of the first group that matches it, or the default.
 * @throws E_ARGUMENT on a bad value or a group that matches nothing
 */
export function treatments(
  op: string,
  parameters: ReadonlyMap<string, Tensor<'f32'>>,
  weightDecay: Rate,
  groups: readonly ParameterGroup[],
): Map<string, Treatment> {
  groups.forEach((group, i) => {
    if (group.lrScale !== undefined) checkRate(op, `lrScale of group ${i}`, group.lrScale);
    if (group.weightDecay !== undefined) checkRate(op, `weightDecay of group ${i}`, group.weightDecay);
    if (![...parameters].some(([name, parameter]) => matches(group.match, name, parameter))) {
      throw new AnnealError(
        'E_ARGUMENT',
        `${op}: expected group ${i} (${String(group.match)}) to match a parameter, received ${[...parameters.keys()].join(', ')}`,
      );
    }
  });
  const result = new Map<string, Treatment>();
  for (const [name, parameter] of parameters) {
    const group = groups.find(({ match }) => matches(match, name, parameter));
    result.set(name, {
      lrScale: group?.lrScale ?? 1,
      weightDecay: group?.weightDecay ?? (parameter.rank > 1 ? weightDecay : 0),
      factor: 1,
      frozen: group?.frozen ?? false,
    });
  }
  return result;
}
