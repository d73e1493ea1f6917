import type { Callback } from './callback.js';
import { wholeNumber } from './monitor.js';

export interface UpdateRatioOptions {
  /** Steps between measurements. Default 50. */
  readonly every?: number;
}

/**
 * Adds the update-to-weight ratio |lr d| / |p| of every parameter to each `every`-th step event. About 1e-3 is healthy;
 * far below learns slowly, far above is unstable.
 */
export function updateRatio({ every = 50 }: UpdateRatioOptions = {}): Callback {
  wholeNumber('updateRatio', 'every', every);
  return { name: 'updateRatio', wants: (step) => ({ updateRatios: step % every === 0 }) };
}
