// Where two recordings of one function differ: a function that does something else each time cannot be replayed.
import { Storage } from '../tensor/storage.js';
import { type Memory, type RecordedOp, type RecordedOperand, type Recording, sameBytes } from './recording.js';

/** What makes `b` another computation than `a`, for an error message; null if nothing does. */
export function difference(a: Recording, b: Recording): string | null {
  /** Memory made or given in the first recording, and its counterpart in the second. */
  const counterparts = new Map<Storage, Storage>(a.inputs.map((storage, i) => [storage, b.inputs[i] ?? storage]));
  const sameMemory = (x: Memory, y: Memory): boolean => {
    if (!(x instanceof Storage && y instanceof Storage)) return false; // scratch is made by passes, later
    const known = counterparts.get(x);
    if (known !== undefined) return known === y;
    if (!a.made(x)) return x === y && !b.made(y);
    if (!b.made(y)) return false;
    counterparts.set(x, y);
    const [before, now] = [a.constants.get(x), b.constants.get(y)];
    return (before === undefined) === (now === undefined) && (!before || !now || sameBytes(before, now));
  };
  const sameOperand = (x: RecordedOperand | null, y: RecordedOperand | null): boolean =>
    x === null || y === null
      ? x === y
      : x.byteOffset === y.byteOffset && x.bytes === y.bytes && x.dtype === y.dtype && sameMemory(x.storage, y.storage);
  const sameOperands = (x: RecordedOp['inputs'], y: RecordedOp['inputs']): boolean =>
    x.length === y.length && x.every((operand, i) => sameOperand(operand, y[i] ?? null));

  for (const [i, op] of a.ops.entries()) {
    const other = b.ops[i];
    const name = `op ${i} (${op.op})`;
    if (other === undefined || other.op !== op.op) return `${name} became ${other?.op ?? 'none'}`;
    if ((op.live === null) !== (other.live === null)) return `${name} takes other scalars`;
    if (op.live === null && !sameBytes(op.params, other.params)) return `the parameters of ${name} changed`;
    if (!sameOperands(op.inputs, other.inputs) || !sameOperands(op.outputs, other.outputs))
      return `the operands of ${name} changed`;
  }
  const more = b.ops[a.ops.length];
  return more === undefined ? null : `op ${a.ops.length} (${more.op}) was not there before`;
}
