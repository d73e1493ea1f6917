import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { fieldsOf } from '../io/fields.js';
import type { Weights } from '../nn/module.js';
import type { Callback, RunHandle } from './callback.js';
import { type MonitorOptions, monitorOf } from './monitor.js';

export interface EarlyStoppingOptions extends MonitorOptions {
  /** An improvement by less than this does not count. Default 0. */
  readonly minDelta?: number;
  /** Epochs without improvement after which the run stops. Default 0: at the first one; Infinity never stops. */
  readonly patience?: number;
  /** A value that has to be beaten: until then no epoch counts as an improvement. */
  readonly baseline?: number;
  /** Epochs at the start in which nothing stops the run for lack of improvement. Default 0. */
  readonly warmupEpochs?: number;
  /** Stops at once, as 'diverged', when the value is worse than this. */
  readonly divergence?: number;
  /** Stops at once, as 'nonfinite', when the value is not finite. Default true. */
  readonly checkFinite?: boolean;
  /** Put the weights of the best epoch back when the run ends, however it ends. Default false. */
  readonly restoreBest?: boolean;
  /** Which weights are kept. Default: the average when the monitor's name begins with ema_, else the raw ones. */
  readonly weights?: 'raw' | 'ema';
}

/**
 * Stops when a metric has not improved for `patience` epochs in a row, and keeps the best weights if asked to: they are put
 * back on every way out (patience, the last epoch, an abort, an error). @throws E_ARGUMENT
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { minDelta = 0, patience = 0, baseline, warmupEpochs = 0, divergence, checkFinite = true } = options;
  const { restoreBest = false } = options;
  const monitor = monitorOf('earlyStopping', options);
  const which = options.weights ?? (monitor.name.startsWith('ema_') ? 'ema' : 'raw');
  if (!(minDelta >= 0) || !(patience >= 0)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `earlyStopping: expected minDelta and patience of at least 0, received ${minDelta} and ${patience}`,
    );
  }
  wholeNumber('earlyStopping', 'warmupEpochs', warmupEpochs, 0);
  for (const [name, value] of Object.entries({ baseline, divergence })) {
    if (value !== undefined && Number.isNaN(value))
      throw new AnnealError('E_ARGUMENT', `earlyStopping: expected ${name} to be a number, received NaN`);
  }
  let best: { readonly value: number; readonly epoch: number } | null = null;
  let weights: Weights | null = null;
  let wait = 0;
  const report = (run: RunHandle, restored: boolean): void => {
    if (best) run.setBest({ monitor: monitor.name, value: best.value, epoch: best.epoch, restored });
  };
  const improves = (value: number): boolean => {
    if (best !== null) return monitor.better(value, best.value, minDelta);
    return baseline === undefined ? !Number.isNaN(value) : monitor.better(value, baseline, minDelta);
  };
  return {
    name: 'earlyStopping',
    async onEpoch(event, run) {
      const value = monitor.valueOf(event);
      if (improves(value)) {
        best = { value, epoch: event.epoch };
        wait = 0;
        if (restoreBest) weights = await run.weights(which);
        report(run, false);
      } else {
        wait++;
      }
      if (checkFinite && !Number.isFinite(value)) run.stop('nonfinite');
      else if (divergence !== undefined && monitor.better(divergence, value)) run.stop('diverged');
      else if (wait > 0 && wait >= patience && event.epoch >= warmupEpochs) run.stop('earlyStopping');
    },
    onStop(_event, run) {
      if (weights === null) return;
      run.restore(weights);
      report(run, true);
    },
    state: () => ({ json: { best, wait }, ...(weights === null ? {} : { tensors: weights }) }),
    load({ json, tensors }) {
      const { best: found, wait: waited } = fieldsOf('earlyStopping', json, { best: 'object', wait: 'number' });
      best = found === null ? null : fieldsOf('earlyStopping', found, { value: 'number', epoch: 'number' });
      wait = waited;
      weights = tensors ?? null;
    },
  };
}
