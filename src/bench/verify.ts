// Holds a kernel's result against the reference kernels of the addon before it is timed. A wrong result is not worth a time.
import type { Backend, OpName, Precision } from '../backend/backend.js';
import { backendOf, cpuInfo, setInstructionSet } from '../backend/device.js';
import { bounds, growth, sizesOf, termsOf, withChanges } from './bounds.js';
import { type OpCall, type OperandRef, runCall } from './capture.js';
import { type Part, partsOf, take } from './parts.js';

/** Operands on the host, as 4-byte items; null where absent. */
export type HostOperands = readonly (Uint32Array | null)[];

/** Ops that read their outputs: these keep what they hold, all others find NaN there. */
const inPlace: ReadonlySet<OpName> = new Set(['batch_norm', 'sgd_momentum_ema', 'adam', 'rmsprop', 'limit']);

const UNIT_ROUNDOFF = 2 ** -24;
const BILINEAR = 4;
/** Both factors of a product are rounded to 11 or 8 bits first. */
const ofFactors: Readonly<Record<Precision, number>> = { f32: 0, tf32: 2 ** -10, bf16: 2 ** -7 };

/** The bilinear bound's factor of the magnitudes, for a call with operands of such bytes. */
export function roundingOf(
  op: OpName,
  params: Uint8Array,
  inputs: readonly number[],
  outputs: readonly number[],
): number {
  return BILINEAR * (Math.sqrt(termsOf(op, params, inputs, outputs)) + 4) * UNIT_ROUNDOFF;
}

const whole: Part = { name: 'all', changes: {}, inputs: [], outputs: [] };

function upload(backend: Backend, items: Uint32Array | null): OperandRef | null {
  if (items === null) return null;
  const handle = backend.alloc(items.byteLength);
  backend.write(handle, 0, items);
  return { handle, byteOffset: 0, bytes: items.byteLength };
}

async function download(backend: Backend, refs: readonly (OperandRef | null)[]): Promise<HostOperands> {
  const read = async (ref: OperandRef | null): Promise<Uint32Array | null> =>
    ref && new Uint32Array(await backend.read(ref.handle, ref.byteOffset, ref.bytes));
  return Promise.all(refs.map(read));
}

/** What the reference kernels, on the CPU, make of these operands; `outputs` is what outputs hold before. */
export async function referenceOf(
  op: OpName,
  params: Uint8Array,
  inputs: HostOperands,
  outputs: HostOperands,
): Promise<HostOperands> {
  const backend = backendOf('cpu');
  const { isa } = cpuInfo();
  const placed: (OperandRef | null)[] = [];
  const place = (list: HostOperands): (OperandRef | null)[] =>
    list.map((items) => {
      const ref = upload(backend, items);
      placed.push(ref);
      return ref;
    });
  try {
    const [ins, outs] = [place(inputs), place(outputs)];
    setInstructionSet('reference');
    runCall(backend, { op, params, inputs: ins, outputs: outs });
    return await download(backend, outs);
  } finally {
    setInstructionSet(isa);
    for (const ref of placed) if (ref) backend.free(ref.handle);
  }
}

const floats = (items: Uint32Array): Float32Array => new Float32Array(items.buffer, items.byteOffset, items.length);

/** |x| of each item; integers of at least 0 stay what they are. */
const magnitude = (items: Uint32Array | null): Uint32Array | null => items?.map((bits) => bits & 0x7fffffff) ?? null;

/** |actual - expected| may be up to absolute + relative |scale|, element by element. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
  readonly scale: Float32Array;
}

export const toleranceAt = ({ absolute, relative, scale }: Tolerance, i: number): number =>
  absolute + relative * Math.abs(scale[i] ?? Number.NaN);

/** The element that is farthest beyond its tolerance; null if none is. NaN in either place is beyond, unless expected. */
export function worstOf(
  actual: Float32Array,
  expected: Float32Array,
  tolerance: Tolerance,
): { readonly index: number; readonly count: number } | null {
  let index = -1;
  let count = 0;
  let worst = -1;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] ?? Number.NaN;
    const e = expected[i] ?? Number.NaN;
    const limit = toleranceAt(tolerance, i);
    const difference = Math.abs(a - e);
    if (difference <= limit || a === e || Object.is(a, e)) continue;
    count++;
    const excess = difference / limit;
    const rank = Number.isNaN(excess) ? Number.POSITIVE_INFINITY : excess;
    if (rank > worst) [worst, index] = [rank, i];
  }
  return count === 0 ? null : { index, count };
}

/**
 * What is wrong with `actual`, the outputs that a kernel made of `inputs` where its outputs held `before`; null when
 * nothing is.
 */
export async function findError(
  { op, params }: Pick<OpCall, 'op' | 'params'>,
  inputs: HostOperands,
  before: HostOperands,
  actual: HostOperands,
  precision: Precision = 'f32',
): Promise<string | null> {
  const sizes = sizesOf(op, params);
  const bound = bounds[op];
  const bytes = (list: HostOperands): number[] => list.map((items) => items?.byteLength ?? 0);
  const rounding = roundingOf(op, params, bytes(inputs), bytes(before)) + ofFactors[precision];
  const parts = partsOf(op, sizes);
  for (const part of parts.length === 0 ? [whole] : parts) {
    const cut = (list: HostOperands, slices: Part['inputs']): HostOperands =>
      list.map((items, i) => items && take(items, slices[i] ?? []));
    const [ins, outs] = [cut(inputs, part.inputs), cut(before, part.outputs)];
    const expected = await referenceOf(op, withChanges(op, params, part.changes), ins, outs);
    const sums =
      bound === 'bilinear'
        ? await referenceOf(
            op,
            withChanges(op, params, { ...part.changes, activation: 0 }), // it would hide the magnitude
            ins.map(magnitude),
            outs.map(magnitude),
          )
        : [];
    for (const [o, items] of cut(actual, part.outputs).entries()) {
      const wanted = expected[o];
      if (!items || !wanted) continue;
      const [a, e] = [floats(items), floats(wanted)];
      const tolerance =
        bound === 'bilinear'
          ? { absolute: 0, relative: rounding, scale: floats(sums[o] ?? new Uint32Array()) }
          : { absolute: bound.absolute * growth(op, o, sizes), relative: bound.relative, scale: e };
      const worst = worstOf(a, e, tolerance);
      if (worst === null) continue;
      const { index, count } = worst;
      return (
        `${op}: ${count} of ${e.length} elements of output ${o} (${part.name}) are wrong, worst at ${index}: expected ` +
        `${e[index]}, received ${a[index]}, tolerance ${toleranceAt(tolerance, index).toExponential(2)}`
      );
    }
  }
  return null;
}

/** Runs a captured call once more and holds its result against the reference. Returns what is wrong, or null. */
export async function verifyCall(backend: Backend, call: OpCall, precision?: Precision): Promise<string | null> {
  const { op, params, inputs, outputs } = call;
  const accumulates = (sizesOf(op, params).accumulate ?? 0) !== 0;
  if (!inPlace.has(op) && !accumulates) {
    for (const ref of outputs)
      if (ref) backend.write(ref.handle, ref.byteOffset, new Uint32Array(ref.bytes / 4).fill(0xffffffff));
  }
  const [ins, before] = [await download(backend, inputs), await download(backend, outputs)];
  runCall(backend, call);
  return findError(call, ins, before, await download(backend, outputs), precision);
}
