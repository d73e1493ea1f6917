// What an optimizer is made from: plain options and an update rule.
import { AnnealError } from '../errors.js';
import type { ArenaOperands } from '../ops/sgd_momentum_ema/sgd_momentum_ema.js';
import type { Rate } from '../schedule/index.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkAveraging, type EmaOptions, type SwaOptions } from './averaging.js';
import { checkRate, type ParameterGroup } from './groups.js';

/** Options of every optimizer. */
export interface OptimizerOptions {
  /** The learning rate: a number, or a schedule of the step. */
  readonly lr: Rate;
  /** Of parameters of rank 2 or more; groups say otherwise. A number, or a schedule of the step. Default 0. */
  readonly weightDecay?: Rate;
  /** Keeps an exponential moving average: ema += (1 - decay) * (p - ema), begun at the first weights. */
  readonly ema?: EmaOptions;
  /** Keeps an equal average of snapshots instead (stochastic weight averaging). */
  readonly swa?: SwaOptions;
  /** Clips each gradient, scaled by gradScale, to [-clipValue, clipValue], before clipNorm if both are given. Default: no clipping. */
  readonly clipValue?: number;
  /** Scales gradients down to this global norm when theirs is larger. Default: no clipping. */
  readonly clipNorm?: number;
  /** The first group that matches a parameter applies to it. */
  readonly groups?: readonly ParameterGroup[];
}

/** What changes from one step to the next. */
export interface StepValues {
  /** The step schedules are asked for. */
  readonly t: number;
  /** Updates done before this one. */
  readonly count: number;
  readonly lr: number;
  readonly emaRate: number;
  readonly gradScale: number;
  readonly clipNorm: number;
}

/** The part in which optimizers differ. */
export interface UpdateRule {
  /** Names of the state buffers, as in state dicts. */
  readonly state: readonly string[];
  /**
   * Enqueues one update; `state[i]` is the buffer named by the i-th name above. `values` is asked again for each replay of
   * a captured step.
   */
  launch(values: () => StepValues, on: ArenaOperands, state: readonly Tensor<'f32'>[]): void;
}

/** A recipe for an optimizer, before it has seen a parameter: what `optim.sgd(...)` and its kin return. */
export interface OptimizerSpec<O extends OptimizerOptions = OptimizerOptions> {
  readonly kind: string;
  readonly options: O;
  readonly rule: UpdateRule;
}

/** @throws E_ARGUMENT unless lo <= value < hi */
export function checkFraction(kind: string, name: string, value: number, lo = 0, hi = 1): number {
  if (!(value >= lo && value < hi)) {
    throw new AnnealError('E_ARGUMENT', `${kind}: expected ${name} in [${lo}, ${hi}), received ${value}`);
  }
  return value;
}

/** @throws E_ARGUMENT when an option every optimizer has is out of range */
export function checkOptions(kind: string, options: OptimizerOptions): void {
  checkRate(kind, 'lr', options.lr);
  if (options.weightDecay !== undefined) checkRate(kind, 'weightDecay', options.weightDecay);
  checkAveraging(kind, options.ema, options.swa);
  for (const name of ['clipNorm', 'clipValue'] as const) {
    const bound = options[name];
    if (bound !== undefined && !(bound > 0))
      throw new AnnealError('E_ARGUMENT', `${kind}: expected ${name} to be positive, received ${bound}`);
  }
}
