// A recording made ready to be replayed: memory for everything the function made on the way, and the ops with the device.
import type { Backend, PlanOp, WordViews } from '../backend/backend.js';
import { Storage } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import { type Lifetime, place } from './placement.js';
import {
  type Action,
  type Memory,
  type RecordedOp,
  type RecordedOperand,
  type Recording,
  Scratch,
} from './recording.js';

/** What one plan holds beyond JavaScript's own memory. */
interface Holding {
  readonly id: number;
  readonly storages: readonly Storage[];
}

/**
 * What the plans of one captured function hold on a device: the plans themselves, the storages they retain, and one arena
 * for the temporaries of all, since the queue runs them one after the other.
 */
export class Resources {
  readonly #holdings = new Set<Holding>();
  #arena: Storage | null = null;

  constructor(readonly backend: Backend) {}

  /** An arena of at least so many bytes, with undefined contents. */
  reserve(bytes: number): Storage {
    const held = this.#arena;
    if (held !== null && held.bytes >= bytes) return held;
    held?.release();
    this.#arena = null;
    // What the recording had used.
    this.backend.trim();
    this.#arena = new Storage(this.backend, bytes);
    return this.#arena;
  }

  add(holding: Holding): void {
    this.#holdings.add(holding);
  }

  drop(holding: Holding, collected = false): void {
    if (!this.#holdings.delete(holding)) return;
    this.backend.planFree(holding.id);
    for (const storage of holding.storages) storage.release(collected);
  }

  /** `collected`: by the garbage collector's finalizer. */
  release(collected = false): void {
    for (const holding of [...this.#holdings]) this.drop(holding, collected);
    this.#arena?.release(collected);
    this.#arena = null;
  }
}

/** What a slot of the plan is bound to. */
type Slot =
  | { readonly kind: 'arena' }
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'result'; readonly storage: Storage }
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

/** How long each temporary is needed, as indices of ops. */
function lifetimesOf(ops: readonly RecordedOp[], isTemporary: (memory: Memory) => boolean): Map<Memory, Lifetime> {
  const lifetimes = new Map<Memory, Lifetime>();
  ops.forEach(({ inputs, outputs }, at) => {
    for (const operand of [...inputs, ...outputs]) {
      if (operand === null || !isTemporary(operand.storage)) continue;
      const first = lifetimes.get(operand.storage)?.first ?? at;
      lifetimes.set(operand.storage, { bytes: operand.storage.bytes, first, last: at });
    }
  });
  return lifetimes;
}

function within({ storage, byteOffset, bytes }: RecordedOperand, tensor: InputPlace): boolean {
  return (
    storage === tensor.storage &&
    byteOffset >= tensor.byteOffset &&
    byteOffset + bytes <= tensor.byteOffset + tensor.byteLength
  );
}

/** Where an input was when the function ran. */
export type InputPlace = Pick<Tensor, 'storage' | 'byteOffset' | 'byteLength'>;

/** What a plan is made of. */
export interface PlanParts {
  readonly recording: Recording;
  /** The ops to run: the recorded ones, after the passes. */
  readonly ops: readonly RecordedOp[];
  /** Whether memory holds values of one run only, which nobody sees. */
  readonly isTemporary: (memory: Memory) => boolean;
  readonly inputs: readonly InputPlace[];
  /** The storages that the function's results lie in. */
  readonly results: ReadonlySet<Storage>;
  readonly resources: Resources;
}

export class Plan implements Disposable {
  readonly memory: PlanMemory;
  readonly ops: readonly RecordedOp[];
  readonly #recording: Recording;
  readonly #resources: Resources;
  readonly #holding: Holding;
  readonly #slots: readonly Slot[];
  readonly #bindings: Float64Array;
  readonly #params: Uint8Array;
  /** Where each live op's parameters are written anew. */
  readonly #words = new Map<RecordedOp['live'], WordViews>();
  readonly #actions: readonly Action[];
  readonly #planned: ReadonlyMap<RecordedOp, PlanOp>;
  /** From outside, and written in each replay. */
  readonly #written: readonly Storage[];

  constructor({ recording, ops, isTemporary, inputs, results, resources }: PlanParts) {
    this.#recording = recording;
    this.#resources = resources;
    this.ops = ops;
    const lifetimes = lifetimesOf(ops, isTemporary);
    const { offsets, bytes } = place([...lifetimes.values()]);
    const offsetOf = new Map([...lifetimes.keys()].map((storage, i) => [storage, offsets[i] ?? 0]));
    this.memory = {
      arenaBytes: bytes,
      temporaryBytes: [...lifetimes.values()].reduce((sum, lifetime) => sum + lifetime.bytes, 0),
      temporaries: lifetimes.size,
    };

    const slots: Slot[] = [{ kind: 'arena' }, ...inputs.map((_, index) => ({ kind: 'input' as const, index }))];
    const slotOf = new Map<Memory, number>();
    const planned = (operand: RecordedOperand | null): PlanOp['inputs'][number] => {
      if (operand === null) return null;
      const { storage, byteOffset, bytes } = operand;
      const half = operand.dtype === 'f16';
      const temporary = offsetOf.get(storage);
      if (storage instanceof Scratch || temporary !== undefined)
        return { slot: 0, byteOffset: (temporary ?? 0) + byteOffset, bytes, half };
      const input = inputs.findIndex((each) => within(operand, each));
      if (input >= 0)
        return { slot: 1 + input, byteOffset: byteOffset - (inputs[input]?.byteOffset ?? 0), bytes, half };
      let slot = slotOf.get(storage);
      if (slot === undefined) {
        const kind = results.has(storage) && recording.made(storage) && !recording.constants.has(storage);
        slot = slots.push({ kind: kind ? 'result' : 'fixed', storage }) - 1;
        slotOf.set(storage, slot);
      }
      return { slot, byteOffset, bytes, half };
    };
    const planOps = ops.map(({ op, inputs: from, outputs: to }) => ({
      op,
      inputs: from.map(planned),
      outputs: to.map(planned),
    }));
    // One that no op writes, such as an empty one, is new in each replay too.
    for (const storage of results)
      if (recording.made(storage) && !recording.constants.has(storage) && !slotOf.has(storage))
        slots.push({ kind: 'result', storage });
    this.#planned = new Map(ops.map((op, i) => [op, planOps[i] as PlanOp]));
    this.#slots = slots;
    this.#bindings = new Float64Array(3 * slots.length);
    slots.forEach((slot, i) => {
      if (slot.kind === 'fixed') this.#bind(i, slot.storage, 0, slot.storage.bytes);
    });
    const written = new Set<Memory>(ops.flatMap(({ outputs }) => outputs.flatMap((operand) => operand?.storage ?? [])));
    this.#written = slots.flatMap((slot) => (slot.kind === 'fixed' && written.has(slot.storage) ? slot.storage : []));

    const size = ops.reduce((sum, { struct }) => sum + Math.ceil(struct.bytes / 8) * 8, 0);
    this.#params = new Uint8Array(size);
    let at = 0;
    for (const op of ops) {
      this.#params.set(op.params, at);
      if (op.live !== null) this.#words.set(op.live, wordsAt(this.#params, at, op.struct.bytes));
      at += Math.ceil(op.struct.bytes / 8) * 8;
    }
    this.#actions = recording.actions;

    const id = resources.backend.planCreate(slots.length, planOps);
    // Made by the function and kept by somebody beyond it: written in each replay.
    const kept = [...recording.storages]
      .filter((storage) => storage.live && !results.has(storage) && !recording.constants.has(storage))
      .map((storage) => storage.retain());
    this.#holding = { id, storages: [...kept, ...recording.handOver()] };
    resources.add(this.#holding);
  }

  #bind(slot: number, storage: Storage, byteOffset: number, bytes: number): void {
    this.#bindings[3 * slot] = storage.handle;
    this.#bindings[3 * slot + 1] = byteOffset;
    this.#bindings[3 * slot + 2] = bytes;
  }

  /** Where an op's output goes, for people: `@offset` in the arena, or what it is. */
  placeName(op: RecordedOp, output: number): string {
    const planned = this.#planned.get(op)?.outputs[output];
    if (!planned) return '';
    const slot = this.#slots[planned.slot];
    if (slot === undefined) return '';
    return slot.kind === 'arena' ? ` @${planned.byteOffset}` : ` ${slot.kind}`;
  }

  /** Whether what the function looked at on the host is as it was. */
  get valid(): boolean {
    return this.#recording.valid;
  }

  /** Enqueues everything once, and gives the new memory of each result. The caller holds one reference to each. */
  run(inputs: readonly Tensor[]): ReadonlyMap<Storage, Storage> {
    const { backend } = this.#resources;
    const results = new Map<Storage, Storage>();
    try {
      for (let i = 0; i < this.#slots.length; i++) {
        const slot = this.#slots[i];
        if (slot === undefined || slot.kind === 'fixed') continue;
        if (slot.kind === 'arena') {
          const storage = this.#resources.reserve(this.memory.arenaBytes);
          this.#bind(i, storage, 0, storage.bytes);
        } else if (slot.kind === 'input') {
          const input = inputs[slot.index];
          if (input) this.#bind(i, input.storage, input.byteOffset, input.byteLength);
        } else {
          const storage = new Storage(backend, slot.storage.bytes);
          results.set(slot.storage, storage);
          this.#bind(i, storage, 0, storage.bytes);
        }
      }
      // Not before there is memory: what changes on the host goes along with what is enqueued.
      for (const action of this.#actions) {
        if (typeof action === 'function') {
          action();
        } else {
          const words = this.#words.get(action.live);
          if (words) action.live?.(words);
        }
      }
      backend.planRun(this.#holding.id, this.#bindings, this.#params);
    } catch (error) {
      for (const storage of results.values()) storage.release();
      throw error;
    }
    for (const storage of this.#written) storage.version++;
    return results;
  }

  [Symbol.dispose](): void {
    this.#resources.drop(this.#holding);
  }
}
