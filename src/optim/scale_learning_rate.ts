import { AnnealError } from '../errors.js';
import { isSchedule, type Rate, type Schedule, scale } from '../schedule/index.js';
import { nonNegative } from './groups.js';

export interface ScaleLearningRateOptions<R extends Rate = Rate> {
  /** The rate that is right for batches of `from`. */
  readonly base: R;
  /** Samples of a batch, all accumulated parts of an update together. */
  readonly from: number;
  /** Samples of the batch that the rate is wanted for. */
  readonly to: number;
  /** Default 'linear'. */
  readonly rule?: 'linear' | 'sqrt';
}

/**
 * The learning rate for another batch size. With k = to / from:
 *   linear  k * base: k times fewer steps, each k times as long. Goyal et al., "Accurate, large minibatch SGD",
 *           arXiv:1706.02677, who warm up to it from `base` over the first epochs
 *   sqrt    sqrt(k) * base: keeps the variance of an update. Krizhevsky, "One weird trick", arXiv:1404.5997; usual with Adam
 * A schedule is scaled as a whole; its steps stay what they were, so give it the fewer steps of larger batches.
 * @throws E_ARGUMENT
 */
export function scaleLearningRate(options: ScaleLearningRateOptions<number>): number;
export function scaleLearningRate(options: ScaleLearningRateOptions<Schedule>): Schedule;
export function scaleLearningRate(options: ScaleLearningRateOptions): Rate;
export function scaleLearningRate({ base, from, to, rule = 'linear' }: ScaleLearningRateOptions): Rate {
  const fail = (expected: string, received: unknown): never => {
    throw new AnnealError('E_ARGUMENT', `scaleLearningRate: expected ${expected}, received ${String(received)}`);
  };
  for (const [name, size] of Object.entries({ from, to })) {
    if (!(Number.isFinite(size) && size > 0)) fail(`${name} to be a positive number of samples`, size);
  }
  if (rule !== 'linear' && rule !== 'sqrt') fail("rule to be 'linear' or 'sqrt'", rule);
  const factor = rule === 'linear' ? to / from : Math.sqrt(to / from);
  return isSchedule(base) ? scale(base, factor) : factor * nonNegative('scaleLearningRate', 'base', base);
}
