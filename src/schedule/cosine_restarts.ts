import { atLeastOne, defineKind, finite, positive } from './kind.js';
import type { Schedule } from './schedule.js';

export interface CosineRestartsOptions {
  /** The value at step 0 and at each restart. */
  readonly from: number;
  /** What each cycle goes down to. Default 0. */
  readonly min?: number;
  /** Steps of the first cycle. */
  readonly T0: number;
  /** Each cycle is so many times as long as the one before. Default 1. */
  readonly tMult?: number;
}

/** Where step t lies in its cycle, in [0, 1). */
function phase(t: number, T0: number, tMult: number): number {
  if (tMult === 1) return (t % T0) / T0;
  // Cycle n begins at T0 (tMult^n - 1) / (tMult - 1). The logarithm may be off by one beside a restart.
  const begin = (n: number): number => (T0 * (tMult ** n - 1)) / (tMult - 1);
  let n = Math.floor(Math.log((t / T0) * (tMult - 1) + 1) / Math.log(tMult));
  if (t >= begin(n + 1)) n++;
  else if (t < begin(n)) n--;
  return (t - begin(n)) / (T0 * tMult ** n);
}

export const cosineRestartsKind = defineKind(
  'cosineRestarts',
  'half waves of cosine one after another, each begun at the top',
  {
    from: finite('the value at step 0 and at each restart'),
    min: finite('what each cycle goes down to', 0),
    T0: positive('steps of the first cycle'),
    tMult: atLeastOne('each cycle is so many times as long as the one before', 1),
  },
  ({ from, min, T0, tMult }) => ({
    length: Number.POSITIVE_INFINITY,
    at: (t) => min + ((from - min) / 2) * (1 + Math.cos(Math.PI * phase(t, T0, tMult))),
  }),
);

/**
 * `cosine` over T0 steps, begun anew over T0 tMult, T0 tMult^2, ... steps. Endless. PyTorch's CosineAnnealingWarmRestarts.
 * Loshchilov and Hutter, "SGDR", arXiv:1608.03983. @throws E_ARGUMENT
 */
export function cosineRestarts(options: CosineRestartsOptions): Schedule {
  return cosineRestartsKind.make(options);
}
