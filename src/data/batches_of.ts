import { Ahead } from './ahead.js';
import { ArrayLoader } from './array_loader.js';
import type { BatchIterable, EpochOptions, Loader } from './batch.js';
import { PrefetchLoader } from './loader.js';

/** Batches made ahead of those of a loader that does not say how many. */
const AHEAD = 2;

/**
 * The batches of an epoch as training takes them, until the signal says stop. A dataset in memory gives one at once, while
 * the device still computes the step before; any other loader may wait for files or run its user's code, so it is asked
 * ahead.
 */
export function batchesOf(
  loader: Loader,
  epoch: number,
  options: EpochOptions = {},
  signal?: AbortSignal,
): BatchIterable {
  if (loader instanceof ArrayLoader) return loader.epoch(epoch, options);
  if (loader instanceof PrefetchLoader) return loader.ahead(epoch, options, signal);
  return new Ahead(loader.epoch(epoch, { ...options, reuse: false }), AHEAD, signal);
}
