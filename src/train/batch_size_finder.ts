// The batch size finder: which sizes fit, and which is the smallest that uses the machine.

import { backendOf } from '../backend/device.js';
import { wholeNumber } from '../checks.js';
import type { Loader } from '../data/batch.js';
import { AnnealError } from '../errors.js';
import type { Module } from '../nn/module.js';
import type { OptimizerSpec } from '../optim/spec.js';
import { fit } from './fit.js';
import type { FitOptions } from './fit_options.js';
import { buildFor } from './learning_rate_finder.js';

export interface FindBatchSizeOptions extends Pick<FitOptions, 'loss' | 'seed' | 'signal' | 'precision' | 'capture'> {
  /** Batches of a size, e.g. `(size) => trainSet.shuffle().batch(size, { dropLast: true })`. */
  readonly data: (size: number) => Loader;
  readonly optimizer: OptimizerSpec;
  /** The first size; each next one is twice as large. Default 8. */
  readonly from?: number;
  /** The largest size that is tried. Default 4096. */
  readonly to?: number;
  /** Timed steps of each size, after two that warm up. Default 5. */
  readonly steps?: number;
  /** A size whose steps need more than this is too large, as is one the device has no memory for. */
  readonly memoryLimit?: number;
  /** The share of the highest throughput that is enough. Default 0.9. */
  readonly enough?: number;
}

export interface BatchSizeTried {
  readonly size: number;
  /** Examples a second; NaN where the size does not fit. */
  readonly samplesPerSecond: number;
  /** Most that was held on the device between two steps, model, optimizer and the step's memory included, in bytes; NaN where it does not fit. */
  readonly peakBytes: number;
  readonly fits: boolean;
}

export interface BatchSizeFound {
  readonly tried: readonly BatchSizeTried[];
  /** The smallest size with `enough` of the highest throughput. */
  readonly suggestion: number;
  /** The largest that fits. */
  readonly largest: number;
}

const WARM_UP = 2;

/**
 * Times a few steps of each size, doubling it until one does not fit, the data has no full batch of it, or throughput has stopped
 * growing for two doublings; puts the weights back as they were. @throws E_ARGUMENT when not even the first size fits
 */
export async function findBatchSize(model: Module, options: FindBatchSizeOptions): Promise<BatchSizeFound> {
  const own = 'findBatchSize';
  const { data, enough = 0.9, memoryLimit = Number.POSITIVE_INFINITY, seed = 0 } = options;
  const steps = wholeNumber(own, 'steps', options.steps ?? 5);
  const from = wholeNumber(own, 'from', options.from ?? 8);
  const to = wholeNumber(own, 'to', options.to ?? 4096, from);
  if (!(enough > 0 && enough <= 1))
    throw new AnnealError('E_ARGUMENT', `${own}: expected enough in (0, 1], received ${enough}`);
  if (!model.built) await buildFor(model, data(from), seed);
  const before = await model.stateDict();
  const tried: BatchSizeTried[] = [];
  let best = 0;
  let since = 0;
  try {
    for (let size = from; size <= to && since < 2; size *= 2) {
      const one = await attempt(model, data(size), size, steps, options);
      if (one === null) break;
      tried.push(one.peakBytes > memoryLimit ? { ...one, fits: false } : one);
      if (tried.at(-1)?.fits !== true) break;
      since = one.samplesPerSecond > best * 1.02 ? 0 : since + 1;
      best = Math.max(best, one.samplesPerSecond);
    }
  } finally {
    model.loadStateDict(before);
  }
  const fitting = tried.filter(({ fits }) => fits);
  const suggestion = fitting.find(({ samplesPerSecond }) => samplesPerSecond >= enough * best);
  if (suggestion === undefined)
    throw new AnnealError('E_ARGUMENT', `${own}: expected batches of ${from} to fit, they do not`);
  return { tried, suggestion: suggestion.size, largest: fitting.at(-1)?.size ?? suggestion.size };
}

/** null where the data has no batch of the size. */
async function attempt(
  model: Module,
  data: Loader,
  size: number,
  steps: number,
  { loss, seed, signal, precision, capture, optimizer }: FindBatchSizeOptions,
): Promise<BatchSizeTried | null> {
  if (data.batchesPerEpoch === 0) return null;
  const times: number[] = [];
  let full = true;
  let peakBytes = 0;
  const given = Object.entries({ loss, seed, signal, precision, capture }).filter(([, value]) => value !== undefined);
  try {
    await using run = fit(model, {
      ...Object.fromEntries(given),
      data,
      epochs: Number.MAX_SAFE_INTEGER,
      metrics: [],
      optimizer,
      callbacks: [
        {
          name: own,
          onStep(event, handle) {
            full &&= event.size === size;
            times.push(event.ms);
            peakBytes = Math.max(peakBytes, backendOf(handle.optimizer.arena.params.device).memory().liveBytes);
            if (!full || times.length >= steps + WARM_UP) handle.stop('completed');
          },
        },
      ],
    });
    await run.result;
  } catch (error) {
    if (!(error instanceof AnnealError && error.code === 'E_OOM')) throw error;
    return { size, samplesPerSecond: Number.NaN, peakBytes: Number.NaN, fits: false };
  }
  if (!full || times.length === 0) return null;
  const timed = times.slice(WARM_UP).sort((a, b) => a - b);
  const median = timed[Math.floor(timed.length / 2)] ?? Number.NaN;
  return { size, samplesPerSecond: (1e3 * size) / median, peakBytes, fits: true };
}

const own = 'findBatchSize';
