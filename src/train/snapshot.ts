// A run at one moment, as a checkpoint holds it, and back.
import { AnnealError } from '../errors.js';
import type { Checkpoint } from '../io/checkpoint.js';
import type { HostTensor } from '../io/host_tensor.js';
import type { JsonValue } from '../io/json.js';
import type { Module, Weights } from '../nn/module.js';
import type { Optimizer } from '../optim/optimizer.js';
import type { OptimizerState, StateTensor } from '../optim/state.js';
import type { Shape } from '../tensor/shape.js';
import { version } from '../version.js';
import type { Best, Callback, CallbackState } from './callback.js';
import { type EpochEvent, type StopReason, stopReasons } from './events.js';

/** A run at one moment: what `io.writeCheckpoint` writes. */
export type Snapshot = Checkpoint;

/** Where a run stands, beside its tensors. */
export interface Position {
  /** Updates done. */
  readonly step: number;
  /** Batches in them. */
  readonly batches: number;
  /** Epochs done. */
  readonly epoch: number;
  /** Batches done of the epoch under way. */
  readonly batch: number;
  readonly seed: number;
  /** The shape of one input sample, which the model is built for. */
  readonly sample: Shape;
  readonly batchesPerEpoch: number | undefined;
  /** Sums of the epoch under way. */
  readonly meter: JsonValue;
  readonly best: Best | null;
  /** Why a callback ended the run, if one did. */
  readonly stopped: StopReason | null;
  readonly history: readonly EpochEvent[];
}

/** Names of a model's tensors begin with this. */
export const MODEL = 'model/';
const OPTIMIZER = 'optimizer/';
const CALLBACK = 'callback/';

/** Everything of a run. All is read as of the moment of the call, whatever is enqueued after it. */
export async function takeSnapshot(
  position: Position,
  model: Module,
  optimizer: Optimizer,
  callbacks: readonly Callback[],
): Promise<Snapshot> {
  const { step, epoch, seed, history, batches, batch, sample, batchesPerEpoch, meter, best, stopped } = position;
  const tensors: Record<string, HostTensor> = {};
  const put = (prefix: string, weights: Weights): void => {
    for (const [name, { shape, data }] of weights) tensors[prefix + name] = { shape, data, dtype: 'f32' };
  };
  const states: Record<string, JsonValue> = {};
  for (const [key, callback] of keyed(callbacks)) {
    const state = callback.state?.();
    if (state === undefined) continue;
    states[key] = state.json;
    if (state.tensors) put(`${CALLBACK}${key}/`, state.tensors);
  }
  const rest = {
    schedule: optimizer.schedule,
    rng: { algorithm: 'philox4x32-10', seed },
    history: history.map((event): JsonValue => ({ ...event, metrics: { ...event.metrics } })),
    extra: {
      version,
      batches,
      batch,
      sample: [...sample],
      batchesPerEpoch: batchesPerEpoch ?? null,
      meter,
      best: best === null ? null : { ...best },
      stopped: stopped ?? '',
      callbacks: states,
    },
  };
  // Both enqueue their reads before the first await.
  const [weights, { tensors: buffers, ...scalars }] = await Promise.all([model.stateDict(), optimizer.stateDict()]);
  put(MODEL, weights);
  put(OPTIMIZER, new Map(Object.entries(buffers)));
  return { tensors, state: { step, epoch, seed, optimizer: scalars, ...rest } };
}

/** What `takeSnapshot` put in, checked. */
export interface RestoredRun extends Position {
  readonly weights: Weights;
  readonly optimizer: OptimizerState;
  readonly callbacks: ReadonlyMap<string, CallbackState>;
}

/** @throws E_FORMAT when it is a checkpoint, but not one of a run */
export function readSnapshot({ tensors, state }: Snapshot, where: string): RestoredRun {
  const { step, epoch, seed } = state;
  const extra = fieldsOf(where, state.extra ?? null, {
    batches: 'number',
    batch: 'number',
    sample: 'array',
    meter: 'object',
    best: 'object',
    stopped: 'string',
    callbacks: 'object',
  });
  const { batchesPerEpoch } = { batchesPerEpoch: null, ...(isRecord(state.extra) ? state.extra : {}) };
  const under = (prefix: string): Map<string, StateTensor> =>
    new Map(
      Object.entries(tensors).flatMap(([name, { shape, data }]) =>
        name.startsWith(prefix) && data instanceof Float32Array
          ? [[name.slice(prefix.length), { dtype: 'f32', shape, data }] as const]
          : [],
      ),
    );
  const scalars = fieldsOf(where, state.optimizer, { kind: 'string', step: 'number' });
  const callbacks = new Map<string, CallbackState>();
  for (const [key, json] of Object.entries(isRecord(extra.callbacks) ? extra.callbacks : {})) {
    const kept = under(`${CALLBACK}${key}/`);
    callbacks.set(key, { json, ...(kept.size > 0 ? { tensors: kept } : {}) });
  }
  return {
    step,
    epoch,
    seed,
    batches: extra.batches,
    batch: extra.batch,
    sample: extra.sample.map(Number),
    batchesPerEpoch: typeof batchesPerEpoch === 'number' ? batchesPerEpoch : undefined,
    meter: extra.meter,
    best:
      extra.best === null
        ? null
        : fieldsOf(where, extra.best, { monitor: 'string', value: 'number', epoch: 'number', restored: 'boolean' }),
    stopped: stopReasons.find((reason) => reason === extra.stopped) ?? null,
    history: state.history.map((event) => epochEvent(where, event)),
    weights: under(MODEL),
    optimizer: {
      ...(isRecord(state.optimizer) ? state.optimizer : {}),
      ...scalars,
      tensors: Object.fromEntries(under(OPTIMIZER)),
    },
    callbacks,
  };
}

function epochEvent(where: string, json: JsonValue): EpochEvent {
  const fields = fieldsOf(where, json, {
    epoch: 'number',
    epochs: 'number',
    step: 'number',
    lr: 'number',
    metrics: 'object',
    seconds: 'number',
    samplesPerSecond: 'number',
  });
  const metrics: Record<string, number> = {};
  for (const [name, value] of Object.entries(isRecord(fields.metrics) ? fields.metrics : {}))
    metrics[name] = Number(value);
  return { type: 'epoch', ...fields, metrics };
}

/** Callbacks by name, the second of a name as name#2. */
export function keyed(callbacks: readonly Callback[]): Map<string, Callback> {
  const counts = new Map<string, number>();
  return new Map(
    callbacks.map((callback) => {
      const count = (counts.get(callback.name) ?? 0) + 1;
      counts.set(callback.name, count);
      return [count === 1 ? callback.name : `${callback.name}#${count}`, callback];
    }),
  );
}

interface FieldTypes {
  number: number;
  string: string;
  boolean: boolean;
  /** An object, or null. */
  object: JsonValue;
  array: readonly JsonValue[];
}

function isRecord(value: JsonValue | undefined): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasKind(value: JsonValue | undefined, kind: keyof FieldTypes): boolean {
  if (kind === 'array') return Array.isArray(value);
  if (kind === 'object') return value === null || isRecord(value);
  return typeof value === kind;
}

/** Fields of a JSON object by their kinds; others are left out. @throws E_FORMAT naming the one that is missing or another */
export function fieldsOf<K extends Readonly<Record<string, keyof FieldTypes>>>(
  who: string,
  json: JsonValue,
  kinds: K,
): { [N in keyof K]: FieldTypes[K[N]] } {
  const record = isRecord(json) ? json : {};
  const found: Record<string, JsonValue> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    const value = Object.hasOwn(record, name) ? record[name] : undefined;
    if (value === undefined || !hasKind(value, kind)) {
      throw new AnnealError(
        'E_FORMAT',
        `${who}: expected the state of a run with ${name} (${kind}), received ${JSON.stringify(value) ?? 'none'}`,
      );
    }
    found[name] = value;
  }
  return found as { [N in keyof K]: FieldTypes[K[N]] };
}
