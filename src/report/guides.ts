/** Values at which a run's charts have a dashed line. */
import { ratioChart } from './charts.js';
import type { RunDescription } from './run.js';

/** From the highest down, by the chart's id. */
export type Guides = Readonly<Record<string, readonly number[]>>;

/** Far above the first a net is unstable, far below the second it hardly learns. */
const usual = { upper: 1e-3, lower: 1e-6 };

/** The bounds that update-to-weight ratios were watched by (`train.updateRatio`), or the usual ones. */
export function guidesOf({ callbacks = [] }: Pick<RunDescription, 'callbacks'>): Guides {
  const watched = callbacks.filter(({ name }) => name === 'updateRatio').map(({ settings }) => settings);
  const bounds = (watched.length > 0 ? watched : [{}])
    .map((settings) => ({ ...usual, ...settings }))
    .flatMap(({ upper, lower }) => [Number(upper), Number(lower)])
    // A bound of 0 or Infinity is none.
    .filter((bound) => bound > 0 && bound < Number.POSITIVE_INFINITY);
  return { [ratioChart]: [...new Set(bounds)].sort((a, b) => b - a) };
}
