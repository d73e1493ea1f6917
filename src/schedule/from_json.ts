import { AnnealError } from '../errors.js';
import { chainKind } from './chain.js';
import { constantKind } from './constant.js';
import { cosineKind } from './cosine.js';
import { cosineRestartsKind } from './cosine_restarts.js';
import { expRangeKind, triangular2Kind, triangularKind } from './cyclic.js';
import { exponentialKind } from './exponential.js';
import { inverseSqrtKind, inverseSqrtWarmupKind, noamKind } from './inverse_sqrt.js';
import { joinKind } from './join.js';
import type { Kind } from './kind.js';
import { linearKind } from './linear.js';
import { milestonesKind } from './milestones.js';
import { oneCycleKind, oneCycleMomentumKind } from './one_cycle.js';
import { perEpochKind } from './per_epoch.js';
import { polynomialKind } from './polynomial.js';
import { scaleKind } from './scale.js';
import type { Schedule } from './schedule.js';
import { stepKind } from './step.js';
import { swaRateKind } from './swa_rate.js';
import { warmupKind } from './warmup.js';
import { wsdKind } from './wsd.js';

/** Every kind there is, in the order in which they are told. */
export const kinds: readonly Kind[] = [
  constantKind,
  stepKind,
  milestonesKind,
  exponentialKind,
  linearKind,
  polynomialKind,
  cosineKind,
  cosineRestartsKind,
  oneCycleKind,
  oneCycleMomentumKind,
  triangularKind,
  triangular2Kind,
  expRangeKind,
  inverseSqrtKind,
  inverseSqrtWarmupKind,
  noamKind,
  warmupKind,
  wsdKind,
  swaRateKind,
  joinKind,
  chainKind,
  scaleKind,
  perEpochKind,
];

/** The schedule that `toJSON` described, from a parsed JSON value. @throws E_ARGUMENT */
export function fromJSON(json: unknown): Schedule {
  if (typeof json !== 'object' || json === null || !('kind' in json) || !('params' in json)) {
    throw new AnnealError('E_ARGUMENT', 'schedule: expected an object with kind and params');
  }
  const { kind, params } = json;
  const found = kinds.find(({ name }) => name === kind);
  if (found === undefined) {
    const known = kinds.map(({ name }) => name).join(', ');
    throw new AnnealError('E_ARGUMENT', `schedule: expected kind to be one of ${known}, received ${String(kind)}`);
  }
  if (typeof params !== 'object' || params === null) {
    throw new AnnealError('E_ARGUMENT', `${found.name}: expected params to be an object, received ${String(params)}`);
  }
  return found.make(params, fromJSON);
}
