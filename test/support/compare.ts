// The checker of the conformance tests. It is tested itself, with planted errors, in test/kernels/checker.test.ts.
import type { CaseDType } from './case_file.js';

export type Numbers = Float32Array | Int32Array | Uint8Array;

export const itemBytes: Readonly<Record<CaseDType, number>> = { f32: 4, i32: 4, u8: 1 };

export function viewAs(dtype: CaseDType, bytes: Uint8Array): Numbers {
  const copy = bytes.slice();
  if (dtype === 'u8') return copy;
  return dtype === 'f32' ? new Float32Array(copy.buffer) : new Int32Array(copy.buffer);
}

/** The element that is worst, by its error over its tolerance. */
export interface Mismatch {
  readonly index: number;
  readonly actual: number;
  readonly expected: number;
  readonly tolerance: number;
  /** How many elements are outside of their tolerance. */
  readonly count: number;
}

/**
 * Elements that differ in value; null if there is none. NaN equals only NaN. The sign of a zero is not compared: a sum
 * that begins with its first product and one that begins with +0 are both right.
 */
export function compareExact(actual: Numbers, expected: Numbers): Mismatch | null {
  return compareWithin(actual, expected, () => 0);
}

/**
 * Elements for which !(|actual - expected| <= tolerance(i)): so NaN in `actual`, or in a tolerance, fails.
 * Where NaN or an infinity is expected, exactly that must be there.
 */
export function compareWithin(
  actual: Numbers,
  expected: Numbers,
  tolerance: (index: number) => number,
): Mismatch | null {
  if (actual.length !== expected.length)
    throw new Error(`expected ${expected.length} elements, received ${actual.length}`);
  let worst: Mismatch | null = null;
  let worstRatio = -1;
  let count = 0;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] ?? Number.NaN;
    const e = expected[i] ?? Number.NaN;
    if (Object.is(a, e) || (a === 0 && e === 0)) continue;
    const limit = Number.isFinite(e) ? tolerance(i) : Number.NaN;
    const difference = Math.abs(a - e);
    if (difference <= limit) continue;
    count++;
    const ratio = Number.isNaN(difference) || Number.isNaN(limit) ? Number.POSITIVE_INFINITY : difference / limit;
    if (worst === null || ratio > worstRatio) {
      worst = { index: i, actual: a, expected: e, tolerance: limit, count: 0 };
      worstRatio = ratio;
    }
  }
  return worst === null ? null : { ...worst, count };
}

/** The first index in [from, to) where the bytes differ; null if there is none. */
function firstDifference(a: Uint8Array, b: Uint8Array, from: number, to: number): number | null {
  if (Buffer.compare(a.subarray(from, to), b.subarray(from, to)) === 0) return null;
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return i;
  return null;
}

/** The first byte outside of [offset, offset + length) that changed, relative to `offset`; null if none did. */
export function brokenGuard(before: Uint8Array, after: Uint8Array, offset: number, length: number): number | null {
  if (before.length !== after.length) return after.length - offset;
  const at =
    firstDifference(before, after, 0, offset) ?? firstDifference(before, after, offset + length, before.length);
  return at === null ? null : at - offset;
}

/** The first byte that changed, or null. */
export function changedByte(before: Uint8Array, after: Uint8Array): number | null {
  return brokenGuard(before, after, 0, 0);
}
