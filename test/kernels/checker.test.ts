// The checker of the conformance tests, held against planted errors: each must be caught.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpCase } from '../support/case_file.js';
import { compareExact, compareWithin } from '../support/compare.js';
import { differentBits, differentNaNs, type Ran, runCase, strayWrites, wrongValues } from '../support/conformance.js';
import { opInfo, raw } from '../support/raw.js';

const info = opInfo('sgemm');
const one: OpCase = {
  name: 'planted',
  params: { batch: 1, m: 5, n: 3, k: 7 },
  in: [
    { n: 35, dtype: 'f32', fill: 'uniform' },
    { n: 21, dtype: 'f32', fill: 'uniform' },
  ],
  out: [{ n: 15, dtype: 'f32', fill: 'uniform' }],
  k: 7,
  exact: true,
};

raw.setIsa('reference');
const integers = runCase(info, one, 'integers', true);
const random = runCase(info, one, 'random', false);
const magnitudes = runCase(info, one, '|random|', false);

/** A copy of a run whose operand `i` was changed by `edit`, which sees the operand's own bytes and all of its buffer. */
function planted(ran: Ran, i: number, edit: (values: Float32Array, buffer: Uint8Array, offset: number) => void): Ran {
  const after = ran.after.map((bytes) => bytes?.slice() ?? null);
  const bytes = after[i];
  const placed = ran.before[i];
  assert.ok(bytes && placed);
  const values = new Float32Array(bytes.slice(placed.offset, placed.offset + placed.bytes).buffer);
  edit(values, bytes, placed.offset);
  bytes.set(new Uint8Array(values.buffer), placed.offset);
  return { before: ran.before, after };
}

/** The next float32 away from zero. */
function nextFloat(x: number): number {
  const bits = new Uint32Array(new Float32Array([x]).buffer);
  bits[0] = (bits[0] ?? 0) + 1;
  return new Float32Array(bits.buffer)[0] ?? Number.NaN;
}

test('a run without errors passes', () => {
  assert.deepEqual(strayWrites(integers, 2), []);
  assert.deepEqual(wrongValues(integers, integers, one, 'exact', null), []);
  assert.deepEqual(wrongValues(random, random, one, 'bilinear', magnitudes), []);
  assert.deepEqual(differentBits(random, random, one), []);
});

test('a wrong element is caught, and named by its indices', () => {
  const wrong = planted(integers, 2, (values) => {
    values[7] = (values[7] ?? 0) + 1;
  });
  const [line] = wrongValues(wrong, integers, one, 'exact', null);
  assert.match(line ?? '', /1 of 15 elements are wrong, worst at \[0,2,1\] of batch=1 m=5 n=3/);
});

test('an error of one unit in the last place is caught in exact mode', () => {
  const wrong = planted(random, 2, (values) => {
    values[0] = nextFloat(values[0] ?? 0);
  });
  assert.equal(wrongValues(wrong, random, one, 'exact', null).length, 1);
  assert.equal(differentBits(wrong, random, one).length, 1);
  assert.deepEqual(wrongValues(wrong, random, one, 'bilinear', magnitudes), []);
});

test('an error outside of the bilinear bound is caught, one inside is not', () => {
  const k = 7;
  const size = 4 * (Math.sqrt(k) + 4) * 2 ** -24;
  const placed = magnitudes.before[2];
  const bytes = magnitudes.after[2];
  assert.ok(placed && bytes);
  const magnitude = new Float32Array(bytes.slice(placed.offset, placed.offset + placed.bytes).buffer)[4] ?? 0;
  const off = (factor: number) =>
    planted(random, 2, (values) => {
      values[4] = (values[4] ?? 0) + factor * size * magnitude;
    });
  assert.equal(wrongValues(off(1.5), random, one, 'bilinear', magnitudes).length, 1);
  assert.equal(wrongValues(off(-1.5), random, one, 'bilinear', magnitudes).length, 1);
  assert.deepEqual(wrongValues(off(0.5), random, one, 'bilinear', magnitudes), []);
});

test('NaN and infinities are caught in every mode', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const wrong = planted(random, 2, (values) => {
      values[14] = value;
    });
    assert.equal(wrongValues(wrong, random, one, 'exact', null).length, 1);
    assert.equal(wrongValues(wrong, random, one, 'bilinear', magnitudes).length, 1);
    assert.equal(wrongValues(wrong, random, one, { relative: 1, absolute: 1e30 }, null).length, 1);
    // A finite number where NaN or an infinity belongs is as wrong.
    assert.equal(wrongValues(random, wrong, one, { relative: 1, absolute: 1e30 }, null).length, 1);
  }
  assert.notEqual(
    compareWithin(Float32Array.of(1), Float32Array.of(2), () => Number.NaN),
    null,
  );
});

test('a NaN that does not come through, or comes from nowhere, is caught', () => {
  const poisoned = runCase(info, one, 'poisoned', false);
  const clean = wrongValues(poisoned, random, one, 'exact', null);
  // A row of a and a column of b hold one NaN each: 3 + 5 - 1 of the 15 elements of the product.
  assert.match(clean[0] ?? '', /^output 0: 7 of 15 elements are wrong/);
  assert.deepEqual(differentNaNs(poisoned, poisoned, one, false), []);
  assert.equal(differentNaNs(random, poisoned, one, true).length, 1);
  assert.equal(differentNaNs(poisoned, random, one, false).length, 1);
});

test('a missing element is caught', () => {
  const wrong = planted(integers, 2, (values) => {
    new Uint8Array(values.buffer).fill(0xff, 56); // as if the last element had not been written
  });
  assert.equal(wrongValues(wrong, integers, one, 'exact', null).length, 1);
});

test('an overrun by one byte on either side is caught', () => {
  for (const at of [-1, 60]) {
    const wrong = planted(integers, 2, (_, buffer, offset) => {
      buffer[offset + at] = (buffer[offset + at] ?? 0) ^ 1;
    });
    assert.deepEqual(strayWrites(wrong, 2), [`output 0 (60 bytes) was overrun at byte ${at}`]);
  }
});

test('a changed input is caught, inside and around it', () => {
  const inside = planted(integers, 0, (values) => {
    values[34] = 100;
  });
  assert.match(strayWrites(inside, 2)[0] ?? '', /^input 0 was changed at byte 13[6-9]$/);
  const before = planted(integers, 1, (_, buffer, offset) => {
    buffer[offset - 1] = 0;
  });
  assert.deepEqual(strayWrites(before, 2), ['input 1 was changed at byte -1']);
});

test('the worst element is the one furthest outside of its own tolerance', () => {
  const expected = Float32Array.of(1000, 1, 0);
  const actual = Float32Array.of(1001, 1.5, 0);
  const found = compareWithin(actual, expected, (i) => 0.0001 * (expected[i] ?? 0));
  assert.deepEqual([found?.index, found?.count], [1, 2]);
});

test('signed zeros are equal, integers are compared exactly, lengths must agree', () => {
  assert.equal(compareExact(Float32Array.of(-0), Float32Array.of(0)), null);
  assert.equal(compareExact(Int32Array.of(2 ** 31 - 1), Int32Array.of(2 ** 31 - 2))?.index, 0);
  assert.throws(() => compareExact(Float32Array.of(1), Float32Array.of(1, 2)));
});
