// What a captured function enqueued, as plain data: the ops with their parameters, and the pieces of memory they work on.
import type { OpName } from '../backend/backend.js';
import type { Live, ParamStruct } from '../backend/params.js';
import type { AnyValues, Recorder } from '../backend/recorder.js';
import { Scalar } from '../backend/scalar.js';
import { AnnealError } from '../errors.js';
import type { Storage } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';

/** A part of a storage. */
export interface RecordedOperand {
  readonly storage: Storage;
  readonly byteOffset: number;
  readonly bytes: number;
}

export interface RecordedOp {
  readonly op: OpName;
  readonly struct: ParamStruct;
  /** As they were at the recording. */
  readonly params: Uint8Array;
  /** Gives the values of each replay; null where they are always the same. */
  readonly live: (() => AnyValues) | null;
  readonly inputs: readonly (RecordedOperand | null)[];
  readonly outputs: readonly (RecordedOperand | null)[];
}

function operandOf(tensor: Tensor | null | undefined): RecordedOperand | null {
  if (!tensor) return null;
  return { storage: tensor.storage, byteOffset: tensor.byteOffset, bytes: tensor.byteLength };
}

function liveOf(values: Live<AnyValues>): (() => AnyValues) | null {
  if (typeof values === 'function') return values;
  return Object.values(values).some((value) => value instanceof Scalar) ? () => values : null;
}

export class Recording implements Recorder {
  readonly ops: RecordedOp[] = [];
  /** Made meanwhile. */
  readonly made = new Set<Storage>();
  /** Of those, what the host wrote to: the same values in each replay. */
  readonly constants = new Set<Storage>();
  /** What each replay does on the host, in order: writes an op's parameters anew (its index), or repeats an effect. */
  readonly actions: (number | (() => void))[] = [];
  readonly guards: { readonly value: () => unknown; readonly seen: unknown }[] = [];
  /** The first thing that cannot be captured. */
  refused: AnnealError | null = null;

  enqueued(
    struct: ParamStruct,
    values: Live<AnyValues>,
    inputs: readonly (Tensor | null | undefined)[],
    outputs: readonly (Tensor | null | undefined)[],
  ): void {
    const now = typeof values === 'function' ? values() : values;
    const live = liveOf(values);
    if (live !== null) this.actions.push(this.ops.length);
    this.ops.push({
      op: struct.op,
      struct,
      params: struct.encode(now).slice(),
      live,
      inputs: inputs.map(operandOf),
      outputs: outputs.map(operandOf),
    });
  }

  allocated(storage: Storage): void {
    this.made.add(storage);
  }

  written(storage: Storage): void {
    if (!this.made.has(storage) || this.constants.has(storage)) return;
    this.constants.add(storage.retain());
  }

  refuseRead(what: string): never {
    this.refused ??= new AnnealError(
      'E_ARGUMENT',
      `capture: expected a function that reads no values, received one that calls ${what}(): a replay would not see new ones; return the tensor and read it outside`,
    );
    throw this.refused;
  }

  effect(fn: () => void): void {
    this.actions.push(fn);
  }

  guard(value: () => unknown): void {
    this.guards.push({ value, seen: value() });
  }

  /** Whether what it holds for is still so. */
  get valid(): boolean {
    return this.guards.every(({ value, seen }) => Object.is(value(), seen));
  }

  /** Lets go of the constants. */
  release(): void {
    for (const storage of this.constants) storage.release();
    this.constants.clear();
  }
}
