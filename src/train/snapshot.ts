// A run at one moment, as a checkpoint holds it, and back.
import type { Checkpoint, CheckpointState, StreamedTensor } from '../io/checkpoint.js';
import { fieldsOf, isJsonObject } from '../io/fields.js';
import type { HostTensor } from '../io/host_tensor.js';
import type { JsonValue } from '../io/json.js';
import type { Module, Weights } from '../nn/module.js';
import { copyInto } from '../ops/strided_copy/strided_copy.js';
import type { Optimizer } from '../optim/optimizer.js';
import type { OptimizerState, StateTensor } from '../optim/state.js';
import { keep } from '../tensor/scope.js';
import { type Shape, sizeOf } from '../tensor/shape.js';
import { empty, type Tensor } from '../tensor/tensor.js';
import { version } from '../version.js';
import type { Best, Callback, CallbackState } from './callback.js';
import { type EpochEvent, type StopReason, stopReasons } from './events.js';

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

/** Values that are brought to the host at once: few pieces, since each waits for the steps that are enqueued before it. */
const AT_ONCE = 1 << 22;

/**
 * Memory for the copies of a run's snapshots, kept from one to the next: taking so much from the system costs many times what
 * copying does.
 */
export class SnapshotMemory implements Disposable {
  readonly #free: Tensor<'f32'>[] = [];
  #disposed = false;

  take(size: number, device: Tensor['device']): Tensor<'f32'> {
    const at = this.#free.findIndex((tensor) => tensor.size === size);
    const [found] = at < 0 ? [] : this.#free.splice(at, 1);
    return found ?? keep(empty([size], 'f32', device));
  }

  giveBack(tensor: Tensor<'f32'>): void {
    if (this.#disposed) tensor.dispose();
    else this.#free.push(tensor);
  }

  /** What is still out is freed when it comes back. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const tensor of this.#free.splice(0)) tensor.dispose();
  }
}

/** A flat copy on the device, read in pieces from its front to its end. */
class FlatCopy {
  readonly #memory: SnapshotMemory;
  readonly #copy: Tensor<'f32'>;
  #at = -1;
  #piece: Float32Array = new Float32Array();

  constructor(memory: SnapshotMemory, source: Tensor<'f32'>) {
    this.#memory = memory;
    this.#copy = memory.take(source.size, source.device);
    using flat = source.view([source.size]);
    if (source.size > 0) copyInto(this.#copy, flat);
  }

  async *range(begin: number, end: number): AsyncGenerator<Float32Array> {
    for (let from = begin; from < end; ) {
      const at = Math.floor(from / AT_ONCE);
      if (at !== this.#at) {
        const view = this.#copy.view([Math.min(AT_ONCE, this.#copy.size - at * AT_ONCE)], at * AT_ONCE);
        const values = view.data();
        view.dispose();
        this.#piece = await values;
        this.#at = at;
      }
      const to = Math.min(end, (at + 1) * AT_ONCE);
      yield this.#piece.subarray(from - at * AT_ONCE, to - at * AT_ONCE);
      from = to;
    }
  }

  dispose(): void {
    this.#memory.giveBack(this.#copy);
  }
}

/**
 * A run at one moment. Its tensors are copies on the device, made at once, which come to the host as they are read, while the run
 * goes on; so it holds as much memory as the weights and the optimizer's state. Dispose it, once.
 */
export class Snapshot implements Disposable {
  readonly state: CheckpointState;
  /** For `io.writeCheckpoint`. Each is to be read once, in the order of the record. */
  readonly tensors: Readonly<Record<string, HostTensor | StreamedTensor>>;
  readonly #copies: readonly FlatCopy[];

  constructor(
    state: CheckpointState,
    tensors: Readonly<Record<string, HostTensor | StreamedTensor>>,
    copies: readonly FlatCopy[],
  ) {
    this.state = state;
    this.tensors = tensors;
    this.#copies = copies;
  }

  dispose(): void {
    for (const copy of this.#copies) copy.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Everything of a run, as of the moment of the call, whatever is enqueued after it. */
export function takeSnapshot(
  position: Position,
  model: Module,
  optimizer: Optimizer,
  callbacks: readonly Callback[],
  memory: SnapshotMemory,
): Snapshot {
  const { step, epoch, seed, history, batches, batch, sample, batchesPerEpoch, meter, best, stopped } = position;
  const tensors: Record<string, HostTensor | StreamedTensor> = {};
  const copies: FlatCopy[] = [];
  const copied = (source: Tensor<'f32'>): FlatCopy => {
    const copy = new FlatCopy(memory, source);
    copies.push(copy);
    return copy;
  };
  const stream = (copy: FlatCopy, shape: Shape, begin: number): StreamedTensor => ({
    dtype: 'f32',
    shape,
    chunks: () => copy.range(begin, begin + sizeOf(shape)),
  });
  const { arena } = optimizer;
  const segments = new Map(arena.segments.map((segment) => [segment.parameter, segment]));
  const weights = copied(arena.params);
  for (const [name, parameter] of model.namedParameters()) {
    const segment = segments.get(parameter);
    tensors[MODEL + name] = segment
      ? stream(weights, parameter.shape, segment.begin)
      : stream(copied(parameter), parameter.shape, 0);
  }
  for (const [name, buffer] of model.namedBuffers()) tensors[MODEL + name] = stream(copied(buffer), buffer.shape, 0);
  for (const [buffer, flat] of optimizer.stateBuffers) {
    const copy = copied(flat);
    for (const { name, parameter, begin } of arena.segments)
      tensors[`${OPTIMIZER}${buffer}/${name}`] = stream(copy, parameter.shape, begin);
  }
  const states: Record<string, JsonValue> = {};
  for (const [key, callback] of keyed(callbacks)) {
    const kept = callback.state?.();
    if (kept === undefined) continue;
    states[key] = kept.json;
    for (const [name, { shape, data }] of kept.tensors ?? [])
      tensors[`${CALLBACK}${key}/${name}`] = { shape, data, dtype: 'f32' };
  }
  const state: CheckpointState = {
    step,
    epoch,
    seed,
    optimizer: { ...optimizer.stateScalars() },
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
  return new Snapshot(state, tensors, copies);
}

/** What `takeSnapshot` put in, checked. */
export interface RestoredRun extends Position {
  readonly weights: Weights;
  readonly optimizer: OptimizerState;
  readonly callbacks: ReadonlyMap<string, CallbackState>;
}

/** @throws E_FORMAT when it is a checkpoint, but not one of a run */
export function readSnapshot({ tensors, state }: Checkpoint, where: string): RestoredRun {
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
  const { batchesPerEpoch } = { batchesPerEpoch: null, ...(isJsonObject(state.extra) ? state.extra : {}) };
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
  for (const [key, json] of Object.entries(extra.callbacks ?? {})) {
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
      ...(isJsonObject(state.optimizer) ? state.optimizer : {}),
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
  for (const [name, value] of Object.entries(fields.metrics ?? {})) metrics[name] = Number(value);
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
