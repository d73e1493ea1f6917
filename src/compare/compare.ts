// Finds the first op of a recording that two targets disagree on. Each op runs on both from the recorded operands, so that what
// is found is that op's own doing and not one's before it.
import { bounds, growth, sizesOf, withChanges } from '../bench/bounds.js';
import { roundingOf, type Tolerance, toleranceAt, worstOf } from '../bench/verify.js';
import { describe } from '../profile/describe.js';
import { type RecordedCall, recordedCalls, type Values } from './recording.js';
import type { Target } from './target.js';

export interface Disagreement {
  /** The op's place in the recording, from 0. */
  readonly index: number;
  /** Op, function and shapes. */
  readonly what: string;
  /** Which output, how many of its elements, and the worst of them. */
  readonly where: string;
}

export interface Comparison {
  /** Ops that ran on both. */
  readonly ops: number;
  /** The first op they disagree on, or null. */
  readonly found: Disagreement | null;
}

const floats = (values: Uint8Array): Float32Array => new Float32Array(values.slice().buffer);

const magnitude = (values: Values): Values => {
  if (values === null || values.length % 4 !== 0) return values;
  return new Uint8Array(new Uint32Array(values.slice().buffer).map((bits) => bits & 0x7fffffff).buffer);
};

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const sizes = (list: readonly Values[]): number[] => list.map((values) => values?.length ?? 0);

/** Twice the bound of one kernel against exact arithmetic: either may be off by one. */
async function toleranceOf(call: RecordedCall, output: number, expected: Float32Array, by: Target): Promise<Tolerance> {
  const { op, params, inputs, outputs } = call;
  const bound = bounds[op];
  if (bound !== 'bilinear') {
    const absolute = 2 * bound.absolute * growth(op, output, sizesOf(op, params));
    return { absolute, relative: 2 * bound.relative, scale: expected };
  }
  const sums = await by.run({
    op,
    params: withChanges(op, params, 'activation' in sizesOf(op, params) ? { activation: 0 } : {}),
    inputs: inputs.map(magnitude),
    outputs: outputs.map(magnitude),
  });
  const scale = sums[output];
  const relative = 2 * roundingOf(op, params, sizes(inputs), sizes(outputs));
  return { absolute: 0, relative, scale: scale ? floats(scale) : expected };
}

async function disagreement(call: RecordedCall, a: Target, b: Target): Promise<string | null> {
  const [expected, actual] = [await a.run(call), await b.run(call)];
  for (const [output, values] of expected.entries()) {
    const other = actual[output];
    if (!values || !other || sameBytes(values, other)) continue;
    if (a.bits === b.bits || values.length % 4 !== 0) {
      const at = values.findIndex((byte, i) => byte !== other[i]);
      return `output ${output}: other bits from byte ${at} of ${values.length} on`;
    }
    const [e, r] = [floats(values), floats(other)];
    const tolerance = await toleranceOf(call, output, e, a);
    const worst = worstOf(r, e, tolerance);
    if (worst === null) continue;
    const { index, count } = worst;
    return (
      `output ${output}: ${count} of ${e.length} elements differ by more than their bound, worst at ${index}: ` +
      `${e[index]} on ${a.name}, ${r[index]} on ${b.name}, bound ${toleranceAt(tolerance, index).toExponential(2)}`
    );
  }
  return null;
}

export interface CompareOptions {
  /** Only this op of the recording. */
  readonly only?: number;
  readonly onOp?: (index: number, what: string) => void;
}

/** Replays a recording op by op on both targets, up to the first op whose outputs leave their bound. @throws E_IO, E_FORMAT */
export async function compareRecording(
  path: string,
  [a, b]: readonly [Target, Target],
  { only, onOp }: CompareOptions = {},
): Promise<Comparison> {
  let ops = 0;
  let index = 0;
  for (const call of recordedCalls(path)) {
    if (only === undefined || index === only) {
      const { label, shape } = describe(call.op, call.params);
      const what = `${label} ${shape}`;
      onOp?.(index, what);
      const where = await disagreement(call, a, b);
      ops++;
      if (where !== null) return { ops, found: { index, what, where } };
    }
    index++;
  }
  return { ops, found: null };
}
