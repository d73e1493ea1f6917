import { shortNumber } from '../chart/ticks.js';
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { fieldsOf } from '../io/fields.js';
import type { Callback } from './callback.js';

export interface UpdateRatioOptions {
  /** Steps between measurements. Default 50. */
  readonly every?: number;
  /** A ratio above this is too large: Infinity for no bound. Default 1e-3. */
  readonly upper?: number;
  /** A ratio below this is too small: 0 for no bound. Parameters that stand still (ratio 0) are left out. Default 1e-6. */
  readonly lower?: number;
  /** Which parameters the bounds are for. Default: those named weight, since biases and norms begin at 0 or 1. */
  readonly match?: RegExp;
  /**
   * What a ratio out of its bounds brings about: nothing; a warning event, once for each parameter and bound until it comes
   * back within; a warning, and the parameter's rate multiplied so that the ratio is at the bound; or a warning, and the
   * end of the run. Default 'warn'.
   */
  readonly action?: 'none' | 'warn' | 'scale' | 'stop';
  /** Measurements in a row out of a bound before anything is done: one batch may be odd. Default 3. */
  readonly patience?: number;
}

/**
 * Adds the update-to-weight ratio |lr d| / |p| of every parameter to each `every`-th step event, and watches that it stays within
 * bounds. About 1e-3 is healthy; far below learns slowly, far above is unstable (Karpathy, CS231n notes; the bounds are the user's
 * to set: with momentum 0.9 a healthy net may well be at 1e-2 in its first steps). @throws E_ARGUMENT
 */
export function updateRatio(options: UpdateRatioOptions = {}): Callback {
  const own = 'updateRatio';
  const { upper = 1e-3, lower = 1e-6, match = /(^|\.)weight$/, action = 'warn' } = options;
  const every = wholeNumber(own, 'every', options.every ?? 50);
  const patience = wholeNumber(own, 'patience', options.patience ?? 3);
  if (!(lower >= 0 && lower < upper))
    throw new AnnealError('E_ARGUMENT', `${own}: expected 0 <= lower < upper, received ${lower} and ${upper}`);
  if (!['none', 'warn', 'scale', 'stop'].includes(action))
    throw new AnnealError('E_ARGUMENT', `${own}: expected action none, warn, scale or stop, received ${action}`);
  /** Measurements in a row beyond a bound, by parameter: positive above, negative below. */
  const beyond = new Map<string, number>();
  return {
    name: own,
    settings: { every, upper, lower, action, patience },
    wants: (step) => ({ updateRatios: step % every === 0 }),
    async onStep({ step, updateRatios = {} }, run) {
      if (action === 'none') return;
      for (const [name, ratio] of Object.entries(updateRatios)) {
        if (name.search(match) < 0) continue;
        const side = ratio > upper ? 1 : ratio < lower && ratio > 0 ? -1 : 0;
        const before = beyond.get(name) ?? 0;
        const count = side === 0 ? 0 : Math.sign(before) === side ? before + side : side;
        beyond.set(name, count);
        if (Math.abs(count) !== patience) continue;
        const bound = side > 0 ? upper : lower;
        const what = `step ${step}: the update-to-weight ratio of ${name} is ${ratio.toPrecision(3)}, ${side > 0 ? 'above' : 'below'} ${shortNumber(bound)}`;
        if (action === 'scale' && Number.isFinite(ratio)) {
          run.optimizer.scaleRate([name], bound / ratio);
          beyond.set(name, 0);
          await run.warn(`${what}; its rate is multiplied by ${(bound / ratio).toPrecision(3)}`);
        } else {
          await run.warn(what);
          if (action === 'stop') run.stop('updateRatio');
        }
      }
    },
    state: () => ({ json: { beyond: Object.fromEntries(beyond) } }),
    load({ json }) {
      const { beyond: counts } = fieldsOf(own, json, { beyond: 'object' });
      beyond.clear();
      for (const [name, count] of Object.entries(counts ?? {})) beyond.set(name, Number(count));
    },
  };
}
