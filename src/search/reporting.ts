import type { Callback } from '../train/callback.js';
import { type MonitorOptions, monitorOf } from '../train/monitor.js';
import type { Trial } from './trial.js';

/**
 * Reports a metric of each epoch of `train.fit` as the trial's, and ends the run, as by early stopping, where the search's pruner gives the
 * trial up. Default monitor: val_loss. @throws E_ARGUMENT
 */
export function reporting(trial: Trial, options: Pick<MonitorOptions, 'monitor'> = {}): Callback {
  const monitor = monitorOf('reporting', options);
  return {
    name: 'reporting',
    async onEpoch(event, run) {
      if (await trial.report(monitor.valueOf(event), event.epoch)) run.stop('earlyStopping');
    },
  };
}
