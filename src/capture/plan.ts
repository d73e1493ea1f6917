// A recording made ready to be replayed: memory for everything the function made on the way, and the ops with the device.
import type { Backend, PlanOp, WordViews } from '../backend/backend.js';
import { AnnealError } from '../errors.js';
import { Storage } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { type Lifetime, place } from './placement.js';
import type { RecordedOp, RecordedOperand, Recording } from './recording.js';

/** What a slot of the plan is bound to. */
type Slot =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'result'; readonly storage: Storage }
  | { readonly kind: 'arena' }
  /** Memory from outside: parameters, optimizer state, constants. */
  | { readonly kind: 'fixed'; readonly storage: Storage };

export interface PlanMemory {
  /** Of the arena that holds every temporary. */
  readonly arenaBytes: number;
  /** Of the temporaries, each by itself. */
  readonly temporaryBytes: number;
  readonly temporaries: number;
}

const wordsAt = (bytes: Uint8Array, at: number, length: number): WordViews => ({
  u32: new Uint32Array(bytes.buffer, at, length / 4),
  i32: new Int32Array(bytes.buffer, at, length / 4),
  f32: new Float32Array(bytes.buffer, at, length / 4),
});

function lifetimesOf(ops: readonly RecordedOp[], temporaries: ReadonlyMap<Storage, number>): Lifetime[] {
  const lifetimes: Lifetime[] = [...temporaries.keys()].map(({ bytes }) => ({ bytes, first: ops.length, last: -1 }));
  ops.forEach(({ inputs, outputs }, at) => {
    for (const operand of [...inputs, ...outputs]) {
      const i = operand && temporaries.get(operand.storage);
      const known = typeof i === 'number' ? lifetimes[i] : undefined;
      if (typeof i === 'number' && known)
        lifetimes[i] = { bytes: known.bytes, first: Math.min(known.first, at), last: Math.max(known.last, at) };
    }
  });
  return lifetimes;
}

export class Plan implements Disposable {
  readonly memory: PlanMemory;
  readonly ops: readonly RecordedOp[];
  readonly #recording: Recording;
  readonly #backend: Backend;
  readonly #id: number;
  readonly #slots: readonly Slot[];
  readonly #bindings: Float64Array;
  readonly #params: Uint8Array;
  /** By op: where its parameters are written anew. */
  readonly #words: readonly WordViews[];
  readonly #arena: Storage;
  /** Made by the function and kept by somebody beyond it: written in each replay. */
  readonly #kept: readonly Storage[];
  /** By result storage: its slot. */
  readonly #results = new Map<Storage, number>();
  #disposed = false;

  /** `inputs` as they were when it was recorded; `results`: the storages that the function's results lie in. */
  constructor(backend: Backend, recording: Recording, inputs: readonly Tensor[], results: ReadonlySet<Storage>) {
    this.#backend = backend;
    this.#recording = recording;
    this.ops = recording.ops;
    const fresh = [...recording.made].filter((storage) => !recording.constants.has(storage));
    this.#kept = fresh.filter((storage) => storage.live && !results.has(storage)).map((storage) => storage.retain());
    const temporaries = new Map(fresh.filter((storage) => !storage.live).map((storage, i) => [storage, i]));
    const lifetimes = lifetimesOf(recording.ops, temporaries);
    const { offsets, bytes } = place(lifetimes);

    const slots: Slot[] = [{ kind: 'arena' }, ...inputs.map((_, index) => ({ kind: 'input' as const, index }))];
    const fixed = new Map<Storage, number>();
    const slotOf = (operand: RecordedOperand): { slot: number; byteOffset: number } => {
      const { storage, byteOffset } = operand;
      const temporary = temporaries.get(storage);
      if (temporary !== undefined) return { slot: 0, byteOffset: byteOffset + (offsets[temporary] ?? 0) };
      const input = inputs.findIndex((each) => each.storage === storage && within(operand, each));
      if (input >= 0) return { slot: 1 + input, byteOffset: byteOffset - (inputs[input]?.byteOffset ?? 0) };
      const known = fixed.get(storage);
      if (known !== undefined) return { slot: known, byteOffset };
      const isResult = results.has(storage) && recording.made.has(storage) && !recording.constants.has(storage);
      const slot = slots.push(isResult ? { kind: 'result', storage } : { kind: 'fixed', storage }) - 1;
      if (isResult) this.#results.set(storage, slot);
      fixed.set(storage, slot);
      return { slot, byteOffset };
    };
    const planned = (operands: readonly (RecordedOperand | null)[]) =>
      operands.map((operand) => operand && { ...slotOf(operand), bytes: operand.bytes });
    const ops: PlanOp[] = recording.ops.map(({ op, inputs: from, outputs: to }) => ({
      op,
      inputs: planned(from),
      outputs: planned(to),
    }));

    let at = 0;
    const starts = recording.ops.map(({ struct }) => {
      const start = at;
      at += Math.ceil(struct.bytes / 8) * 8;
      return start;
    });
    this.#params = new Uint8Array(at);
    recording.ops.forEach(({ params }, i) => void this.#params.set(params, starts[i]));
    this.#words = recording.ops.map(({ struct }, i) => wordsAt(this.#params, starts[i] ?? 0, struct.bytes));

    this.#arena = new Storage(backend, bytes);
    this.#slots = slots;
    this.#bindings = new Float64Array(3 * slots.length);
    slots.forEach((slot, i) => {
      if (slot.kind === 'arena') this.#bind(i, this.#arena, 0, bytes);
      if (slot.kind === 'fixed') this.#bind(i, slot.storage, 0, slot.storage.bytes);
    });
    this.#id = backend.planCreate(slots.length, ops);
    this.memory = {
      arenaBytes: bytes,
      temporaryBytes: lifetimes.reduce((sum, each) => sum + each.bytes, 0),
      temporaries: temporaries.size,
    };
  }

  #bind(slot: number, storage: Storage, byteOffset: number, bytes: number): void {
    this.#bindings[3 * slot] = storage.handle;
    this.#bindings[3 * slot + 1] = byteOffset;
    this.#bindings[3 * slot + 2] = bytes;
  }

  /** Whether what the function looked at on the host is as it was. */
  get valid(): boolean {
    return this.#recording.valid;
  }

  /** Enqueues everything once, and gives the new memory of each result. The caller holds one reference to each. */
  run(inputs: readonly Tensor[]): ReadonlyMap<Storage, Storage> {
    if (this.#disposed) throw new AnnealError('E_DISPOSED', 'capture: expected a live plan, received one that was disposed');
    for (const action of this.#recording.actions) {
      if (typeof action === 'function') {
        action();
        continue;
      }
      const op = this.#recording.ops[action];
      const words = this.#words[action];
      if (op?.live && words) op.struct.write(op.live(), words);
    }
    const results = new Map<Storage, Storage>();
    try {
      this.#slots.forEach((slot, i) => {
        if (slot.kind === 'input') {
          const input = inputs[slot.index];
          if (input) this.#bind(i, input.storage, input.byteOffset, input.byteLength);
        } else if (slot.kind === 'result') {
          const storage = new Storage(this.#backend, slot.storage.bytes);
          results.set(slot.storage, storage);
          this.#bind(i, storage, 0, storage.bytes);
        }
      });
      this.#backend.planRun(this.#id, this.#bindings, this.#params);
    } catch (error) {
      for (const storage of results.values()) storage.release();
      throw error;
    }
    return results;
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#backend.planFree(this.#id);
    this.#arena.release();
    for (const storage of this.#kept) storage.release();
    this.#recording.release();
  }
}

function within({ byteOffset, bytes }: RecordedOperand, tensor: Tensor): boolean {
  return byteOffset >= tensor.byteOffset && byteOffset + bytes <= tensor.byteOffset + tensor.byteLength;
}
