// Members of an ensemble from one run: its weights at the end of each cycle of the learning rate.
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { fieldsOf } from '../io/fields.js';
import type { Weights } from '../nn/module.js';
import type { Callback, Moment } from '../train/callback.js';

export interface SnapshotsOptions {
  /** The length of a cycle in steps, or the numbers of steps done at the ends of cycles. */
  readonly steps?: number | readonly number[];
  /** The same in epochs. One of both is needed. */
  readonly epochs?: number | readonly number[];
  /** Keeps the newest so many only. Default: all. */
  readonly last?: number;
  /** Default 'raw'; 'ema' keeps averaged copies. */
  readonly weights?: 'raw' | 'ema';
}

export interface Snapshots extends Callback {
  /** Copies on the host, oldest first. */
  readonly kept: readonly Weights[];
}

/**
 * Keeps the weights at the end of each cycle, for an ensemble of one run's snapshots. Huang et al. 2017, arXiv:1704.00109: the rate falls
 * to almost nothing in each cycle and begins anew, as by `schedule.cosineRestarts`.
 *
 * What is kept is part of checkpoints; let it stand before `train.checkpoint`, so that one of the same moment has that cycle, too.
 *
 *   const cycles = ensemble.snapshots({ steps: 400 });
 *   // after train.fit(model, { ..., callbacks: [cycles] }):
 *   const team = ensemble(cycles.kept.map((weights) => ({ model, weights })));
 *
 * @throws E_ARGUMENT
 */
export function snapshots({ steps, epochs, last, weights: which = 'raw' }: SnapshotsOptions): Snapshots {
  if ((steps === undefined) === (epochs === undefined))
    throw new AnnealError('E_ARGUMENT', 'snapshots: expected steps or epochs, received both or neither');
  for (const [name, given] of Object.entries({ steps, epochs, last })) {
    for (const value of given === undefined ? [] : [given].flat()) wholeNumber('snapshots', name, value);
  }
  const ends = (at: number, given: number | readonly number[] | undefined): boolean =>
    given !== undefined && (typeof given === 'number' ? at % given === 0 : given.includes(at));
  const isEnd = (at: Moment): boolean => {
    if ('step' in at) return ends(at.step, steps);
    return 'epoch' in at && ends(at.epoch, epochs);
  };
  let kept: Weights[] = [];
  return {
    name: 'snapshots',
    get kept() {
      return kept;
    },
    wantsSnapshot: isEnd,
    async onSnapshot(snapshot, _at, run) {
      // The optimizer's state, which it holds as well, is not wanted.
      snapshot.dispose();
      kept = [...kept, await run.weights(which)].slice(-(last ?? Number.POSITIVE_INFINITY));
    },
    state: () => ({
      json: { count: kept.length },
      tensors: new Map(kept.flatMap((each, i) => [...each].map(([name, tensor]) => [`${i}/${name}`, tensor] as const))),
    }),
    load({ json, tensors }) {
      const { count } = fieldsOf('snapshots', json, { count: 'number' });
      kept = Array.from({ length: count }, (_, i) => {
        const prefix = `${i}/`;
        const own = [...(tensors ?? [])].filter(([name]) => name.startsWith(prefix));
        return new Map(own.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
      });
    },
  };
}
