import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { fieldsOf } from '../io/fields.js';
import type { Callback } from './callback.js';
import { type MonitorOptions, monitorOf } from './monitor.js';

export interface ReduceOnPlateauOptions extends MonitorOptions {
  /** The rate is multiplied by this. Default 0.1. */
  readonly factor?: number;
  /** Epochs without improvement that are waited; the one after them reduces the rate. Default 10. */
  readonly patience?: number;
  /** What counts as an improvement: more than this. Default 1e-4. */
  readonly threshold?: number;
  /** Of the best value ('rel': best * (1 - threshold), for max 1 + threshold), or as it is ('abs'). Default 'rel'. */
  readonly thresholdMode?: 'rel' | 'abs';
  /** Epochs after a reduction in which nothing is counted. Default 0. */
  readonly cooldown?: number;
  /** The factor of all reductions together is not less than this share of the schedule's rate. Default 0. */
  readonly least?: number;
}

/**
 * Multiplies the learning rate, whatever its schedule gives, by `factor` when a metric has stopped improving, as
 * torch.optim.lr_scheduler.ReduceLROnPlateau. (Keras waits one epoch less, and knows 'abs' only.) @throws E_ARGUMENT
 */
export function reduceOnPlateau(options: ReduceOnPlateauOptions = {}): Callback {
  const own = 'reduceOnPlateau';
  const { factor = 0.1, threshold = 1e-4, thresholdMode = 'rel', least = 0 } = options;
  const monitor = monitorOf(own, options);
  const patience = wholeNumber(own, 'patience', options.patience ?? 10, 0);
  const cooldown = wholeNumber(own, 'cooldown', options.cooldown ?? 0, 0);
  if (!(factor > 0 && factor < 1) || !(threshold >= 0) || !(least >= 0 && least < 1)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${own}: expected factor in (0, 1), threshold of at least 0 and least in [0, 1), received ${factor}, ${threshold} and ${least}`,
    );
  }
  if (thresholdMode !== 'rel' && thresholdMode !== 'abs')
    throw new AnnealError('E_ARGUMENT', `${own}: expected thresholdMode 'rel' or 'abs', received ${thresholdMode}`);
  let best: number | null = null;
  let bad = 0;
  let cooling = 0;
  const improves = (value: number): boolean => {
    if (best === null) return !Number.isNaN(value);
    return monitor.better(value, best, thresholdMode === 'abs' ? threshold : best * threshold);
  };
  return {
    name: own,
    async onEpoch(event, run) {
      const value = monitor.valueOf(event);
      if (improves(value)) {
        best = value;
        bad = 0;
      } else {
        bad++;
      }
      if (cooling > 0) {
        cooling--;
        bad = 0;
      }
      if (bad <= patience) return;
      bad = 0;
      cooling = cooldown;
      const { optimizer } = run;
      const reduced = Math.max(least, optimizer.lrFactor * factor);
      if (reduced === optimizer.lrFactor) return;
      optimizer.lrFactor = reduced;
      await run.warn(
        `${monitor.name} has not improved for ${patience + 1} epochs: the learning rate is now ${reduced.toPrecision(3)} of its schedule's`,
      );
    },
    state: () => ({ json: { best: best ?? '', bad, cooling } }),
    load({ json }) {
      ({ bad, cooling } = fieldsOf(own, json, { bad: 'number', cooling: 'number' }));
      const found = typeof json === 'object' && json !== null && 'best' in json ? json.best : null;
      best = typeof found === 'number' ? found : null;
    },
  };
}
