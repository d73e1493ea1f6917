// Callbacks: what watches a run and may stop it.
import { AnnealError } from '../errors.js';
import type { Weights } from '../nn/module.js';
import type { EpochEvent, StepEvent, StopEvent, StopReason } from './events.js';

/** What a callback may do with the run it watches. */
export interface RunHandle {
  /** Ends the run after the current step. */
  stop(reason: StopReason): void;
  /** Copies of the weights as they are now: the parameters, or their moving average, and the buffers. */
  weights(which: 'raw' | 'ema'): Promise<Weights>;
  /** Overwrites the model's weights. */
  restore(weights: Weights): void;
  /** Remembers the best result; it becomes `best` of the run's result. */
  setBest(best: Best): void;
}

export interface Best {
  readonly monitor: string;
  readonly value: number;
  /** From 0. */
  readonly epoch: number;
  /** Whether the model holds the weights of that epoch at the end of the run. */
  readonly restored: boolean;
}

/** Hooks run in the order of the callbacks, each awaited. One that throws ends the run with its error. */
export interface Callback {
  readonly name: string;
  /** Whether the update-to-weight ratios are wanted after step `step` (counted from 1). */
  wantsUpdateRatios?(step: number): boolean;
  onStep?(event: StepEvent, run: RunHandle): void | Promise<void>;
  onEpoch?(event: EpochEvent, run: RunHandle): void | Promise<void>;
  /** Also called when the run is aborted. */
  onStop?(event: StopEvent, run: RunHandle): void | Promise<void>;
}

export interface EarlyStoppingOptions {
  /** A metric of the epoch event. Default val_loss. Names that begin with ema_ refer to the averaged weights. */
  readonly monitor?: string;
  /** Whether smaller or larger is better. Default: max when the name ends in accuracy, else min. */
  readonly mode?: 'min' | 'max';
  /** An improvement by less than this does not count. Default 0. */
  readonly minDelta?: number;
  /** Epochs without improvement after which the run stops. Default 0: at the first one; Infinity never stops. */
  readonly patience?: number;
  /** Put the weights of the best epoch back when the run ends, however it ends. Default false. */
  readonly restoreBest?: boolean;
}

/** Stops when a metric has not improved for `patience` epochs in a row, and keeps the best weights if asked to. */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { monitor = 'val_loss', minDelta = 0, patience = 0, restoreBest = false } = options;
  const mode = options.mode ?? (monitor.endsWith('accuracy') ? 'max' : 'min');
  if (!(minDelta >= 0) || !(patience >= 0)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `earlyStopping: expected minDelta and patience of at least 0, received ${minDelta} and ${patience}`,
    );
  }
  let best: { value: number; epoch: number } | null = null;
  let weights: Weights | null = null;
  let wait = 0;
  const report = (run: RunHandle, restored: boolean): void => {
    if (best) run.setBest({ monitor, value: best.value, epoch: best.epoch, restored });
  };
  return {
    name: 'earlyStopping',
    async onEpoch(event, run) {
      const value = event.metrics[monitor];
      if (value === undefined) {
        throw new AnnealError(
          'E_ARGUMENT',
          `earlyStopping: expected monitor to be one of ${Object.keys(event.metrics).join(', ')}, received '${monitor}'`,
        );
      }
      const gained = (than: number): boolean => (mode === 'min' ? value < than - minDelta : value > than + minDelta);
      const improved = best === null ? !Number.isNaN(value) : gained(best.value);
      if (improved) {
        best = { value, epoch: event.epoch };
        wait = 0;
        if (restoreBest) weights = await run.weights(monitor.startsWith('ema_') ? 'ema' : 'raw');
        report(run, false);
      } else if (++wait >= patience) {
        run.stop('earlyStopping');
      }
    },
    onStop(_event, run) {
      if (weights === null) return;
      run.restore(weights);
      report(run, true);
    },
  };
}

export interface UpdateRatioOptions {
  /** Steps between measurements. Default 50. */
  readonly every?: number;
}

/**
 * Adds the update-to-weight ratio |lr d| / |p| of every parameter to each `every`-th step event. About 1e-3 is healthy;
 * far below learns slowly, far above is unstable.
 */
export function updateRatio({ every = 50 }: UpdateRatioOptions = {}): Callback {
  if (!Number.isInteger(every) || every < 1) {
    throw new AnnealError(
      'E_ARGUMENT',
      `updateRatio: expected every to be an integer of at least 1, received ${every}`,
    );
  }
  return { name: 'updateRatio', wantsUpdateRatios: (step) => step % every === 0 };
}
