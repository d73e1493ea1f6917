// What passes ask of a list of ops: who reads and writes a piece of memory, and which values nobody else sees.
import type { DecodedValues, FieldSpec, ParamStruct } from '../../backend/params.js';
import { itemBytes } from '../../tensor/dtype.js';
import type { AnyValues } from '../../tensor/recorder.js';
import type { Memory, RecordedOp, RecordedOperand } from '../recording.js';

/** The same bytes of the same memory; shapes may differ, as after a reshape. */
export function sameOperand(a: RecordedOperand | null | undefined, b: RecordedOperand | null | undefined): boolean {
  return !!a && !!b && a.storage === b.storage && a.byteOffset === b.byteOffset && a.bytes === b.bytes;
}

/** Elements of an operand. */
export const itemsOf = ({ bytes, dtype }: RecordedOperand): number => bytes / itemBytes(dtype);

/** The parameters of an op by name. */
export function paramsOf<F extends Record<string, FieldSpec>>(
  op: RecordedOp,
  struct: ParamStruct<F>,
): DecodedValues<F> {
  return struct.decode(op.params);
}

/** The op with some parameters changed, and whatever else is said. */
export function changed(
  op: RecordedOp,
  params: Readonly<Record<string, number | readonly number[]>>,
  rest: Partial<RecordedOp>,
): RecordedOp {
  const values = { ...op.struct.decode(op.params), ...params } as AnyValues;
  return { ...op, params: op.struct.encode(values).slice(), ...rest };
}

/** The names for `fused`: of the op itself, or of what it was made from. */
export const namesOf = (op: RecordedOp): readonly string[] => op.fused ?? [op.op];

export class Graph {
  readonly #uses = new Map<Memory, { readonly reads: number[]; readonly writes: number[] }>();

  constructor(
    readonly ops: readonly RecordedOp[],
    readonly isTemporary: (memory: Memory) => boolean,
  ) {
    ops.forEach(({ inputs, outputs }, at) => {
      for (const operand of inputs) if (operand) this.#of(operand.storage).reads.push(at);
      for (const operand of outputs) if (operand) this.#of(operand.storage).writes.push(at);
    });
  }

  #of(memory: Memory): { readonly reads: number[]; readonly writes: number[] } {
    let uses = this.#uses.get(memory);
    if (uses === undefined) {
      uses = { reads: [], writes: [] };
      this.#uses.set(memory, uses);
    }
    return uses;
  }

  /** Indices of the ops that read any part of the memory, in order. */
  reads(memory: Memory): readonly number[] {
    return this.#of(memory).reads;
  }

  /** Indices of the ops that write any part of the memory, in order. */
  writes(memory: Memory): readonly number[] {
    return this.#of(memory).writes;
  }

  /** Whether no op from `from` on, and before `to`, writes any part of the memory. */
  unchanged(memory: Memory, from: number, to: number): boolean {
    return !this.writes(memory).some((at) => at >= from && at < to);
  }

  /**
   * The op that alone reads a temporary, given the only op that writes it: nobody else would miss the value.
   * null if there are others.
   */
  onlyReader(operand: RecordedOperand | null | undefined): number | null {
    if (!operand || !this.isTemporary(operand.storage)) return null;
    const [reader, ...others] = this.reads(operand.storage);
    return reader !== undefined && others.length === 0 && this.writes(operand.storage).length === 1 ? reader : null;
  }
}
