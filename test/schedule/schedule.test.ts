import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { AnnealError } from '../../src/errors.js';
import * as schedule from '../../src/schedule/index.js';

interface Fixture {
  readonly schedule: { readonly kind: string; readonly params: object };
  readonly values: readonly number[];
}

const fixtures = JSON.parse(
  readFileSync(new URL('../fixtures/optimizers/schedules.json', import.meta.url), 'utf8'),
) as Fixture[];

function close(actual: number, expected: number, label: string): void {
  // PyTorch's schedulers multiply step by step: 40 roundings of a double
  const tolerance = 1e-13 * Math.max(1, Math.abs(expected));
  assert.ok(Math.abs(actual - expected) <= tolerance, `${label}: expected ${expected}, received ${actual}`);
}

for (const { schedule: json, values } of fixtures) {
  test(`${json.kind} ${JSON.stringify(json.params)} has the values of PyTorch's scheduler`, () => {
    const s = schedule.fromJSON(json);
    values.forEach((value, t) => {
      close(s.at(t), value, `step ${t}`);
    });
  });
}

test('each formula, at steps chosen by hand', () => {
  assert.equal(schedule.constant({ value: 0.3 }).at(1e9), 0.3);
  assert.equal(schedule.step({ from: 1, gamma: 0.5, every: 10 }).at(9), 1);
  assert.equal(schedule.step({ from: 1, gamma: 0.5, every: 10 }).at(35), 0.125);
  close(schedule.exponential({ from: 2, k: 0.5 }).at(4), 2 * Math.exp(-2), 'exponential');
  assert.equal(schedule.linear({ from: 1, steps: 4 }).at(3), 0.25);
  assert.equal(schedule.linear({ from: 1, end: 0.5, steps: 4 }).at(2), 0.75);
  close(schedule.cosine({ from: 1, min: 0.2, steps: 10 }).at(5), 0.6, 'cosine');
  assert.equal(schedule.inverseSqrt({ from: 1 }).at(0), 1);
  assert.equal(schedule.inverseSqrt({ from: 1 }).at(1), 1);
  assert.equal(schedule.inverseSqrt({ from: 1 }).at(16), 0.25);
  assert.equal(schedule.warmup({ to: 0.1, steps: 200 }).at(0), 0);
  close(schedule.warmup({ to: 0.1, steps: 200 }).at(50), 0.025, 'warmup');
});

test('past its end a schedule holds its last value, exactly', () => {
  assert.equal(schedule.linear({ from: 0.3, end: 0.1, steps: 7 }).at(7), 0.1);
  assert.equal(schedule.linear({ from: 0.3, end: 0.1, steps: 7 }).at(1e6), 0.1);
  assert.equal(schedule.cosine({ from: 0.3, min: 0.1, steps: 7 }).at(1e6), 0.1);
  assert.equal(schedule.warmup({ to: 0.1, steps: 7 }).at(1e6), 0.1);
});

test('join switches at the boundary and holds the end of the last part', () => {
  const s = schedule.join([schedule.warmup({ to: 0.1, steps: 200 }), schedule.cosine({ from: 0.1, steps: 2145 })]);
  assert.equal(s.length, 2345);
  close(s.at(199), 0.0995, 'before');
  assert.equal(s.at(200), 0.1);
  close(s.at(200 + 2145 / 2), 0.05, 'half way');
  assert.equal(s.at(2345), 0);
  assert.equal(s.at(5000), 0);
});

test('join takes boundaries for endless parts, and nests', () => {
  const inner = schedule.join([schedule.constant({ value: 1, steps: 2 }), schedule.linear({ from: 1, steps: 2 })]);
  const s = schedule.join([schedule.inverseSqrt({ from: 8 }), inner, schedule.constant({ value: 5 })], {
    boundaries: [5, 9],
  });
  assert.equal(s.length, Number.POSITIVE_INFINITY);
  assert.deepEqual(
    [0, 4, 5, 6, 7, 8, 9, 99].map((t) => s.at(t)),
    [8, 4, 1, 1, 1, 0.5, 5, 5],
  );
});

test('every kind survives JSON', () => {
  const all = [
    schedule.constant({ value: 0.1 }),
    schedule.constant({ value: 0.1, steps: 3 }),
    schedule.step({ from: 0.1, gamma: 0.3, every: 5 }),
    schedule.exponential({ from: 0.1, k: 0.01 }),
    schedule.linear({ from: 0.1, end: 0.01, steps: 9 }),
    schedule.cosine({ from: 0.1, min: 0.01, steps: 9 }),
    schedule.inverseSqrt({ from: 0.1 }),
    schedule.warmup({ from: 0.01, to: 0.1, steps: 9 }),
    schedule.join([schedule.warmup({ to: 1, steps: 4 }), schedule.join([schedule.cosine({ from: 1, steps: 4 })])]),
  ];
  for (const s of all) {
    const again = schedule.fromJSON(JSON.parse(JSON.stringify(s)));
    assert.deepEqual(again.toJSON(), s.toJSON());
    for (let t = 0; t < 20; t++) assert.equal(again.at(t), s.at(t), `${s.kind} at ${t}`);
  }
});

test('rateAt takes a number or a schedule', () => {
  assert.equal(schedule.rateAt(0.5, 1000), 0.5);
  assert.equal(schedule.rateAt(schedule.linear({ from: 1, steps: 2 }), 1), 0.5);
});

test('bad arguments are refused by name', () => {
  const bad: [() => unknown, RegExp][] = [
    [() => schedule.constant({ value: Number.NaN }), /constant: expected value to be a finite number, received NaN/],
    [() => schedule.step({ from: 1, gamma: 0.5, every: 0 }), /step: expected every to be positive, received 0/],
    [() => schedule.exponential({ from: 1, k: Number.POSITIVE_INFINITY }), /exponential: expected k/],
    [() => schedule.linear({ from: 1, steps: -1 }), /linear: expected steps to be positive, received -1/],
    [() => schedule.cosine({ from: 1, steps: Number.NaN }), /cosine: expected steps/],
    [() => schedule.inverseSqrt({ from: Number.NaN }), /inverseSqrt: expected from/],
    [() => schedule.warmup({ to: 1, steps: 0 }), /warmup: expected steps/],
    [() => schedule.constant({ value: 1 }).at(-1), /constant: expected a step of at least 0, received -1/],
    [() => schedule.constant({ value: 1 }).at(Number.NaN), /received NaN/],
    [() => schedule.join([]), /join: expected an array of one or more schedules/],
    [() => schedule.join([schedule.constant({ value: 1 }), schedule.constant({ value: 2 })]), /an endless constant/],
    [
      () => schedule.join([schedule.constant({ value: 1 })], { boundaries: [3] }),
      /join: expected 0 ascending boundaries for 1 parts, received \[3\]/,
    ],
    [
      () =>
        schedule.join(
          [1, 2, 3].map((value) => schedule.constant({ value })),
          { boundaries: [5, 5] },
        ),
      /ascending/,
    ],
    [() => schedule.fromJSON(null), /schedule: expected an object with kind and params/],
    [() => schedule.fromJSON({ kind: 'toString', params: {} }), /expected kind to be one of constant, /],
    [() => schedule.fromJSON({ kind: 'cosine', params: { from: 1 } }), /cosine: expected steps/],
    [() => schedule.fromJSON({ kind: 'cosine', params: { from: '1', steps: 3 } }), /cosine: expected from/],
    [() => schedule.fromJSON({ kind: 'cosine', params: { from: 1, steps: 3, max: 2 } }), /unknown parameter 'max'/],
    [() => schedule.fromJSON({ kind: 'join', params: { parts: 3 } }), /join: expected parts/],
  ];
  for (const [call, message] of bad) {
    assert.throws(call, (error: unknown) => {
      assert.ok(error instanceof AnnealError);
      assert.equal(error.code, 'E_ARGUMENT');
      assert.match(error.message, message);
      return true;
    });
  }
});
