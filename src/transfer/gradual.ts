// Layers that join the training as it goes on.
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { fieldsOf } from '../io/fields.js';
import type { NameMatch } from '../nn/module.js';
import type { Callback, RunHandle } from '../train/callback.js';
import { unfreeze } from './freeze.js';

export interface Thaw {
  /** Epochs done before it. */
  readonly epoch: number;
  readonly match: NameMatch;
}

/**
 * Unfreezes parts of a frozen model at the beginnings of epochs, usually from the last layers to the first. Howard and Ruder 2018,
 * arXiv:1801.06146, section 3.3. A resumed run has unfrozen what it had.
 *
 *   transfer.freeze(model, /^(?!dense2)/);
 *   callbacks: [transfer.gradualUnfreezing([{ epoch: 2, match: ['dense1'] }, { epoch: 4, match: /^conv/ }])]
 *
 * @throws E_ARGUMENT
 */
export function gradualUnfreezing(plan: readonly Thaw[]): Callback {
  if (plan.length === 0)
    throw new AnnealError('E_ARGUMENT', 'gradualUnfreezing: expected a plan of at least one epoch');
  for (const { epoch } of plan) wholeNumber('gradualUnfreezing', 'epoch', epoch, 0);
  let done = 0;
  const thaw = (run: RunHandle, isDue: (epoch: number) => boolean): void => {
    for (const { epoch, match } of plan) if (isDue(epoch)) unfreeze(run.model, match);
  };
  return {
    name: 'gradualUnfreezing',
    onStart: (run) => thaw(run, (epoch) => epoch <= done),
    onEpoch(event, run) {
      done = event.epoch + 1;
      thaw(run, (epoch) => epoch === done);
    },
    state: () => ({ json: { epoch: done } }),
    load({ json }) {
      done = fieldsOf('gradualUnfreezing', json, { epoch: 'number' }).epoch;
    },
  };
}
