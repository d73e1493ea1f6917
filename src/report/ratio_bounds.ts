// Between which bounds the update-to-weight ratios of a run should lie.
import type { RunDescription } from './run.js';

/** Far above the first a net is unstable, far below the second it hardly learns. */
const usual = { upper: 1e-3, lower: 1e-6 };

/** The bounds that runs were watched by (`train.updateRatio`), each once, from the highest down. */
export function ratioBounds(runs: readonly Pick<RunDescription, 'callbacks'>[]): number[] {
  const bounds = runs.flatMap(({ callbacks }) => {
    const settings = { ...usual, ...Object(callbacks?.updateRatio) };
    return [settings.upper, settings.lower].map(Number);
  });
  // A bound of 0 or Infinity is none.
  return [...new Set(bounds)].filter((bound) => bound > 0 && bound < Infinity).sort((a, b) => b - a);
}
