// The rate at which the average of the weights follows them. The update's kernel does average += rate * (p - average) after each
// step; exponential and equal averages, with bias correction or a late start, are values of that one rate.
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { isSchedule, type Rate, rateAt } from '../schedule/index.js';

export interface EmaOptions {
  /** The share that the average keeps of itself in a step: a number in [0, 1], or a schedule of the step. */
  readonly decay: Rate;
  /** Weighs the steps as if the average had begun at nothing, as Adam's moments. Default false: it begins at the first weights. */
  readonly biasCorrection?: boolean;
  /** Before this step the average is the weights themselves. Default 0. */
  readonly startStep?: number;
}

export interface SwaOptions {
  /** Before this step the average is the weights themselves. Default 0. */
  readonly startStep?: number;
  /** Steps from one averaged snapshot to the next: those of an epoch, say. Default 1. */
  readonly every?: number;
}

/** What of an average is not in its buffer: JSON, and therefore no interface. */
export type AveragingState = {
  /** The sum of the weights that a bias-corrected average has given to its steps: s below. */
  readonly weight: number;
  /** Snapshots in an equal average: n below. */
  readonly count: number;
};

/**
 * Exponential: rate 1 - d. With bias correction the average is m / s of
 *   m <- d m + (1 - d) p,   s <- d s + (1 - d),   both from 0,
 * as Adam's m / (1 - d^t), with s for any schedule of d. Written for a = m / s: s a = d s' a' + (1 - d) p with d s' = s - (1 - d), so
 *   a = a' + r (p - a'),   r = (1 - d) / s:
 * the same fused update with the rate r. It is 1 in the first step, and with d constant it is (1 - d) / (1 - d^t).
 *
 * Equal: a = a' + (p - a') / (n + 1) at each snapshot, which makes the mean of n + 1; 0 between snapshots.
 * Izmailov et al., arXiv:1803.05407.
 *
 * Before the start and the first snapshot the rate is 1: the average is the weights, but for the rounding of a' + (p - a').
 */
export class Averaging {
  readonly #ema: EmaOptions | null;
  readonly #startStep: number;
  readonly #every: number;
  #weight = 0;
  #count = 0;

  constructor(options: EmaOptions | SwaOptions) {
    this.#ema = 'decay' in options ? options : null;
    this.#startStep = options.startStep ?? 0;
    this.#every = 'decay' in options ? 1 : (options.every ?? 1);
  }

  /** The rate of step t. */
  rate(t: number): number {
    if (t < this.#startStep) return 1;
    if (this.#ema !== null) {
      const gained = 1 - rateAt(this.#ema.decay, t);
      if (!this.#ema.biasCorrection) return gained;
      const weight = this.#weightAfter(t);
      return weight > 0 ? gained / weight : 1;
    }
    if (this.#isSnapshot(t)) return 1 / (this.#count + 1);
    return this.#count === 0 ? 1 : 0;
  }

  /** Step t was done. */
  advance(t: number): void {
    if (t < this.#startStep) return;
    if (this.#ema !== null) this.#weight = this.#weightAfter(t);
    else if (this.#isSnapshot(t)) this.#count++;
  }

  reset(): void {
    this.#weight = 0;
    this.#count = 0;
  }

  get state(): AveragingState {
    return { weight: this.#weight, count: this.#count };
  }

  set state({ weight, count }: AveragingState) {
    this.#weight = weight;
    this.#count = count;
  }

  #weightAfter(t: number): number {
    const decay = rateAt(this.#ema?.decay ?? 0, t);
    return decay * this.#weight + (1 - decay);
  }

  /** The last of each `every` steps from the start on. */
  #isSnapshot(t: number): boolean {
    return (t + 1 - this.#startStep) % this.#every === 0;
  }
}

/** @throws E_ARGUMENT */
export function checkAveraging(kind: string, ema: EmaOptions | undefined, swa: SwaOptions | undefined): void {
  const refuse = (expected: string, received: unknown): never => {
    throw new AnnealError('E_ARGUMENT', `${kind}: expected ${expected}, received ${String(received)}`);
  };
  if (ema !== undefined && swa !== undefined) refuse('ema or swa', 'both');
  if (ema !== undefined) {
    const { decay, startStep } = ema;
    if (!isSchedule(decay) && !(decay >= 0 && decay <= 1)) refuse('ema.decay in [0, 1]', decay);
    wholeNumber(kind, 'ema.startStep', startStep ?? 0, 0);
  }
  wholeNumber(kind, 'swa.startStep', swa?.startStep ?? 0, 0);
  wholeNumber(kind, 'swa.every', swa?.every ?? 1);
}
