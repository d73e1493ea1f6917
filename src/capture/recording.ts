// What a captured function enqueued, as plain data: the ops with their parameters, and the pieces of memory they work on.
import type { OpName, WordViews } from '../backend/backend.js';
import type { FieldSpec, FieldValues, Live, ParamStruct } from '../backend/params.js';
import { AnnealError } from '../errors.js';
import { Scalar } from '../scalar.js';
import type { DType } from '../tensor/dtype.js';
import type { Operands, Recorder } from '../tensor/recorder.js';
import type { Shape } from '../tensor/shape.js';
import type { Storage } from '../tensor/storage.js';
import { lastTensorId, type Tensor } from '../tensor/tensor.js';

/** Memory that exists in a plan only: a temporary that no tensor had. */
export class Scratch {
  constructor(readonly bytes: number) {}
}

export type Memory = Storage | Scratch;

/** A part of a piece of memory, as a tensor saw it. */
export interface RecordedOperand {
  readonly storage: Memory;
  readonly byteOffset: number;
  readonly bytes: number;
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface RecordedOp {
  readonly op: OpName;
  readonly struct: ParamStruct;
  /** As they were at the recording. */
  readonly params: Uint8Array;
  /** Writes the parameters of a replay; null where they are always the same. It tells the op, also one that a pass rewrote. */
  readonly live: ((to: WordViews) => void) | null;
  readonly inputs: readonly (RecordedOperand | null)[];
  readonly outputs: readonly (RecordedOperand | null)[];
  /** Names of the recorded ops that are now part of this one. */
  readonly fused?: readonly string[];
}

/** What a replay does on the host: writes an op's parameters anew, or repeats an effect. */
export type Action = Required<Pick<RecordedOp, 'live'>> | (() => void);

function operandOf(tensor: Tensor | null | undefined): RecordedOperand | null {
  if (!tensor) return null;
  const { storage, byteOffset, byteLength, dtype, shape } = tensor;
  return { storage, byteOffset, bytes: byteLength, dtype, shape };
}

/** What writes the values anew, a function of its own for each op. */
function liveOf<F extends Record<string, FieldSpec>>(
  struct: ParamStruct<F>,
  values: Live<FieldValues<F>>,
): RecordedOp['live'] {
  if (typeof values === 'function') return (to) => struct.write(values(), to);
  const changes = Object.values(values).some((value) => value instanceof Scalar);
  return changes ? (to) => struct.write(values, to) : null;
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

interface Guard {
  readonly value: () => unknown;
  readonly seen: unknown;
}

export interface RecordingOptions {
  /** What cannot be captured is noted, and the function goes on. */
  readonly lenient: boolean;
  /** Keeps the values of constants, to be compared with another recording's. */
  readonly values: boolean;
}

export class Recording implements Recorder {
  readonly ops: RecordedOp[] = [];
  /** In order. */
  readonly actions: Action[] = [];
  /** Made meanwhile. */
  readonly storages = new Set<Storage>();
  /** Of those, what the host wrote to: the same values in each replay. With them, if asked for, until `forget`. */
  readonly constants = new Map<Storage, Uint8Array | null>();
  /** Of the inputs. */
  readonly inputs: readonly Storage[];
  /** The first thing that cannot be captured. */
  refused: AnnealError | null = null;
  readonly #guards: Guard[] = [];
  readonly #affected = new Set<object>();
  /** Tensors from outside whose memory is recorded. */
  readonly #known: Set<Tensor>;
  readonly #lastBefore = lastTensorId();
  readonly #options: RecordingOptions;
  #handedOver = false;

  /** `inputs` are other tensors in each replay. */
  constructor(inputs: readonly Tensor[], options: RecordingOptions) {
    this.inputs = inputs.map(({ storage }) => storage);
    this.#known = new Set(inputs);
    this.#options = options;
  }

  enqueued<F extends Record<string, FieldSpec>>(
    struct: ParamStruct<F>,
    values: Live<FieldValues<F>>,
    inputs: Operands,
    outputs: Operands,
  ): void {
    const now = typeof values === 'function' ? values() : values;
    for (const tensor of inputs) if (tensor) this.used(tensor);
    for (const tensor of outputs) {
      if (!tensor) continue;
      this.used(tensor);
      if (this.constants.has(tensor.storage))
        this.refuse('leaves its constants alone', `one whose ${struct.op} overwrites ${tensor}, made from host values`);
    }
    const op: RecordedOp = {
      op: struct.op,
      struct,
      params: struct.encode(now).slice(),
      live: liveOf(struct, values),
      inputs: inputs.map(operandOf),
      outputs: outputs.map(operandOf),
    };
    if (op.live !== null) this.actions.push(op);
    this.ops.push(op);
  }

  allocated(storage: Storage): void {
    this.storages.add(storage);
  }

  made(storage: Storage): boolean {
    return this.storages.has(storage);
  }

  written(storage: Storage, byteOffset: number, values: Uint8Array): void {
    if (!this.storages.has(storage)) {
      this.refuse(
        'writes host values to no tensor from outside',
        'one that calls write() on one: pass the values in as an input',
      );
      return;
    }
    if (!this.constants.has(storage))
      this.constants.set(storage.retain(), this.#options.values ? new Uint8Array(storage.bytes) : null);
    this.constants.get(storage)?.set(values, byteOffset);
  }

  /** Lets go of the constants' values on the host. */
  forget(): void {
    for (const storage of this.constants.keys()) this.constants.set(storage, null);
  }

  used(tensor: Tensor): void {
    if (tensor.id > this.#lastBefore || this.#known.has(tensor)) return;
    this.#known.add(tensor);
    // It may be given other memory: by an optimizer, or while averaged weights are swapped in.
    this.guard(() => (tensor.disposed ? null : tensor.storage));
    this.guard(() => (tensor.disposed ? null : tensor.offset));
    // A parameter may be frozen or not.
    this.guard(() => tensor.requiresGrad);
  }

  refuse(expected: string, received: string): void {
    this.refused ??= new AnnealError(
      'E_ARGUMENT',
      `capture: expected a function that ${expected}, received ${received}`,
    );
    if (!this.#options.lenient) throw this.refused;
  }

  effect(state: object, fn: () => void): void {
    this.#affected.add(state);
    this.actions.push(fn);
  }

  guard(value: () => unknown, state?: object): void {
    if (state === undefined || !this.#affected.has(state)) this.#guards.push({ value, seen: value() });
  }

  /** Whether what it holds for is still so. */
  get valid(): boolean {
    for (const { value, seen } of this.#guards) if (!Object.is(value(), seen)) return false;
    return true;
  }

  /** The constants, each with the reference that kept it. */
  handOver(): Storage[] {
    this.#handedOver = true;
    return [...this.constants.keys()];
  }

  /** Lets go of the constants, unless they were handed over. */
  release(): void {
    if (!this.#handedOver) for (const storage of this.constants.keys()) storage.release();
    this.#handedOver = true;
  }
}
