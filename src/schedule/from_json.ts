import { AnnealError } from '../errors.js';
import { constant } from './constant.js';
import { cosine } from './cosine.js';
import { exponential } from './exponential.js';
import { inverseSqrt } from './inverse_sqrt.js';
import { join } from './join.js';
import { linear } from './linear.js';
import { finite, type Schedule } from './schedule.js';
import { step } from './step.js';
import { warmup } from './warmup.js';

/** The numbers of one kind: required ones, then optional ones. @throws E_ARGUMENT on a missing or unknown name */
function numbers<R extends string, O extends string = never>(
  kind: string,
  params: object,
  required: readonly R[],
  optional: readonly O[] = [],
): Record<R, number> & Partial<Record<O, number>> {
  const entries = new Map<string, unknown>(Object.entries(params));
  const result: Record<string, number> = {};
  for (const name of required) result[name] = finite(kind, name, entries.get(name));
  for (const name of optional) if (entries.has(name)) result[name] = finite(kind, name, entries.get(name));
  for (const name of entries.keys()) {
    if (!(name in result)) throw new AnnealError('E_ARGUMENT', `${kind}: received the unknown parameter '${name}'`);
  }
  return result as Record<R, number> & Partial<Record<O, number>>;
}

function joinFrom(params: object): Schedule {
  if (!('parts' in params) || !Array.isArray(params.parts)) {
    throw new AnnealError('E_ARGUMENT', 'join: expected parts to be an array of schedules');
  }
  const parts = params.parts.map(fromJSON);
  if (!('boundaries' in params)) return join(parts);
  if (!Array.isArray(params.boundaries))
    throw new AnnealError('E_ARGUMENT', 'join: expected boundaries to be an array');
  return join(parts, { boundaries: params.boundaries.map((b) => finite('join', 'boundaries', b)) });
}

/** How each kind is made again from its parameters. */
const kinds: Readonly<Record<string, (params: object) => Schedule>> = {
  constant: (p) => constant(numbers('constant', p, ['value'], ['steps'])),
  step: (p) => step(numbers('step', p, ['from', 'gamma', 'every'])),
  exponential: (p) => exponential(numbers('exponential', p, ['from', 'k'])),
  linear: (p) => linear(numbers('linear', p, ['from', 'steps'], ['end'])),
  cosine: (p) => cosine(numbers('cosine', p, ['from', 'steps'], ['min'])),
  inverseSqrt: (p) => inverseSqrt(numbers('inverseSqrt', p, ['from'])),
  warmup: (p) => warmup(numbers('warmup', p, ['to', 'steps'], ['from'])),
  join: joinFrom,
};

/** The schedule that `toJSON` described, from a parsed JSON value. @throws E_ARGUMENT */
export function fromJSON(json: unknown): Schedule {
  if (typeof json !== 'object' || json === null || !('kind' in json) || !('params' in json)) {
    throw new AnnealError('E_ARGUMENT', 'schedule: expected an object with kind and params');
  }
  const { kind, params } = json;
  const make = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (make === undefined) {
    const known = Object.keys(kinds).join(', ');
    throw new AnnealError('E_ARGUMENT', `schedule: expected kind to be one of ${known}, received ${String(kind)}`);
  }
  if (typeof params !== 'object' || params === null) {
    throw new AnnealError('E_ARGUMENT', `${String(kind)}: expected params to be an object, received ${String(params)}`);
  }
  return make(params);
}
