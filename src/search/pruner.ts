// Which trials are given up on the way.
import { wholeNumber } from '../checks.js';
import type { Report, TrialRecord } from './trial.js';

export type Direction = 'minimize' | 'maximize';

/** Whether a value is better than another. */
export const better = (direction: Direction, value: number, than: number): boolean =>
  direction === 'minimize' ? value < than : value > than;

export interface Pruner {
  /** Whether a trial with these reports so far, the newest last, is to be given up, given the trials that have ended. */
  prune(reports: readonly Report[], ended: readonly TrialRecord[], direction: Direction): boolean;
}

export interface MedianPrunerOptions {
  /** No trial is pruned before so many are complete. Default 5. */
  readonly startupTrials?: number;
  /** Nor is one at a step below this. Default 0. */
  readonly warmupSteps?: number;
}

/**
 * Gives up a trial whose best value so far is worse than the median of what complete trials reported at the same step: Optuna's
 * MedianPruner, after the median rule of Golovin et al., "Google Vizier", 2017, doi:10.1145/3097983.3098043. With several workers it
 * depends on which trials have ended by then. @throws E_ARGUMENT
 */
export function medianPruner({ startupTrials = 5, warmupSteps = 0 }: MedianPrunerOptions = {}): Pruner {
  wholeNumber('medianPruner', 'startupTrials', startupTrials);
  wholeNumber('medianPruner', 'warmupSteps', warmupSteps, 0);
  return {
    prune(reports, ended, direction) {
      const last = reports.at(-1);
      const complete = ended.filter(({ state }) => state === 'complete');
      if (last === undefined || complete.length < startupTrials || last.step < warmupSteps) return false;
      const others = complete.flatMap((trial) => {
        const value = trial.reports.find(({ step }) => step === last.step)?.value;
        return value === undefined || Number.isNaN(value) ? [] : [value];
      });
      if (others.length === 0) return false;
      const values = reports.map(({ value }) => value).filter((value) => !Number.isNaN(value));
      if (values.length === 0) return true;
      const best = direction === 'minimize' ? Math.min(...values) : Math.max(...values);
      return better(direction, medianOf(others), best);
    },
  };
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] ?? Number.NaN) + upper) / 2;
}
