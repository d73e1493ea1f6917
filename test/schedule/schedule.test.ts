import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnnealError } from '../../src/errors.js';
import * as schedule from '../../src/schedule/index.js';

function close(actual: number, expected: number, label: string): void {
  const tolerance = 1e-15 * Math.max(1, Math.abs(expected));
  assert.ok(Math.abs(actual - expected) <= tolerance, `${label}: expected ${expected}, received ${actual}`);
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

test('drops hold from their step on', () => {
  const s = schedule.milestones({ from: 1, gamma: 0.5, milestones: [3, 5] });
  assert.deepEqual(
    [0, 2, 2.9, 3, 4, 5, 100].map((t) => s.at(t)),
    [1, 1, 1, 0.5, 0.5, 0.25, 0.25],
  );
  const epochs = schedule.exponential({ from: 1, gamma: 0.5, every: 10 });
  assert.deepEqual(
    [0, 9, 10, 25].map((t) => epochs.at(t)),
    [1, 1, 0.5, 0.25],
  );
  assert.equal(schedule.exponential({ from: 1, gamma: 0.25, every: 10, continuous: true }).at(5), 0.5);
});

test('restarts begin at the top, exactly, however many there were', () => {
  for (const tMult of [1, 1.5, 2, 3]) {
    const s = schedule.cosineRestarts({ from: 0.3, min: 0.1, T0: 7, tMult });
    let begin = 0;
    for (let n = 0; n < 12; n++) {
      close(s.at(begin), 0.3, `tMult ${tMult}, restart ${n}`);
      close(s.at(begin + (7 * tMult ** n) / 2), 0.2, `tMult ${tMult}, half of cycle ${n}`);
      begin += 7 * tMult ** n;
    }
  }
});

test('one cycle: its ends and its top', () => {
  const rate = schedule.oneCycle({ max: 1, steps: 101, pctStart: 0.5, divFactor: 10, finalDivFactor: 100 });
  const momentum = schedule.oneCycleMomentum({ steps: 101, pctStart: 0.5 });
  close(rate.at(0), 0.1, 'begin');
  close(rate.at(49.5), 1, 'top');
  close(rate.at(100), 0.001, 'end');
  close(rate.at(5000), 0.001, 'after it');
  close(momentum.at(0), 0.95, 'begin');
  close(momentum.at(49.5), 0.85, 'top');
  close(momentum.at(100), 0.95, 'end');
});

test('warmup-stable-decay: its four corners', () => {
  for (const shape of ['linear', 'cosine', '1-sqrt'] as const) {
    const s = schedule.wsd({ from: 0.1, max: 1, min: 0.2, warmup: 10, stable: 20, decay: 30, shape });
    assert.equal(s.length, 60);
    for (const [t, value] of [
      [0, 0.1],
      [5, 0.55],
      [10, 1],
      [29, 1],
      [30, 1],
      [60, 0.2],
      [99, 0.2],
    ] as const)
      close(s.at(t), value, `${shape} at ${t}`);
  }
  assert.equal(schedule.wsd({ max: 1, warmup: 0, stable: 0, decay: 4 }).at(1), 0.5);
});

test('transformers: the highest rate is at the end of the warmup', () => {
  const s = schedule.inverseSqrtWarmup({ to: 0.5, warmup: 100 });
  assert.deepEqual([s.at(0), s.at(50), s.at(100), s.at(400)], [0, 0.25, 0.5, 0.25]);
  const noam = schedule.noam({ dModel: 512, warmup: 4000 });
  close(noam.at(3999), 1 / Math.sqrt(512 * 4000), 'the paper, step 4000');
  assert.ok(noam.at(3998) < noam.at(3999) && noam.at(4000) < noam.at(3999));
});

test('products, factors and epochs', () => {
  const halves = schedule.step({ from: 1, gamma: 0.5, every: 2 });
  const s = schedule.chain([schedule.linear({ from: 8, end: 4, steps: 4 }), halves]);
  assert.equal(s.length, Number.POSITIVE_INFINITY);
  assert.deepEqual(
    [0, 1, 2, 4, 6].map((t) => s.at(t)),
    [8, 7, 3, 1, 0.5],
  );
  assert.equal(schedule.scale(halves, 3).at(2), 1.5);
  const epochs = schedule.perEpoch(schedule.linear({ from: 1, steps: 2.5 }), { stepsPerEpoch: 10 });
  assert.equal(epochs.length, 30);
  assert.deepEqual(
    [0, 9, 10, 29, 30, 99].map((t) => epochs.at(t)),
    [1, 1, 0.6, 1 - 2 / 2.5, 0, 0],
  );
  const smooth = schedule.perEpoch(schedule.linear({ from: 1, steps: 2.5 }), { stepsPerEpoch: 10, continuous: true });
  assert.equal(smooth.length, 25);
  assert.deepEqual([smooth.at(5), smooth.at(25), smooth.at(26)], [0.8, 0, 0]);
});

test('what was stored before warmups had shapes can still be read', () => {
  const s = schedule.fromJSON({ kind: 'warmup', params: { from: 0, to: 1, steps: 4 } });
  assert.equal(s.at(1), 0.25);
  assert.deepEqual(s.params, { from: 0, to: 1, steps: 4, shape: 'linear' });
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
    [() => schedule.join([]), /join: expected parts to be an array of one or more schedules, received \[\]/],
    [() => schedule.join([schedule.constant({ value: 1 }), schedule.constant({ value: 2 })]), /an endless constant/],
    [
      () => schedule.join([schedule.constant({ value: 1 })], { boundaries: [3] }),
      /join: expected 0 boundaries for 1 parts, received \[3\]/,
    ],
    [
      () =>
        schedule.join(
          [1, 2, 3].map((value) => schedule.constant({ value })),
          { boundaries: [5, 5] },
        ),
      /join: expected boundaries to be ascending positive numbers, received \[5, 5\]/,
    ],
    [
      () => schedule.milestones({ from: 1, gamma: 0.5, milestones: [5, 3] }),
      /milestones: expected milestones to be ascending positive numbers, received \[5, 3\]/,
    ],
    [
      () => schedule.fromJSON({ kind: 'exponential', params: { from: 1 } }),
      /expected k, or gamma .*, received neither/,
    ],
    [
      () => schedule.fromJSON({ kind: 'exponential', params: { from: 1, k: 1, every: 2 } }),
      /received k = 1 and others/,
    ],
    [() => schedule.cosineRestarts({ from: 1, T0: 5, tMult: 0.5 }), /tMult to be a number of at least 1, received 0.5/],
    [() => schedule.oneCycle({ max: 1, steps: 100, pctStart: 1 }), /oneCycle: expected pctStart to be between 0 and 1/],
    [() => schedule.oneCycle({ max: 1, steps: 3 }), /oneCycle: expected phases of more than one step/],
    [
      () => schedule.oneCycle({ max: 1, steps: 100, pctStart: 0.6, threePhase: true }),
      /received pctStart = 0.6 of 100/,
    ],
    [() => schedule.warmup({ to: 1, steps: 5, shape: 'exponential' }), /warmup: expected from and to of one sign/],
    [
      () => schedule.fromJSON({ kind: 'warmup', params: { to: 1, steps: 5, shape: 'cubic' } }),
      /expected shape to be one of 'linear', 'exponential', 'constant', received cubic/,
    ],
    [() => schedule.fromJSON({ kind: 'scale', params: { inner: [1, 2], factor: 1 } }), /expected an object with kind/],
    [() => schedule.scale(schedule.constant({ value: 1 }), Number.NaN), /scale: expected factor to be a finite number/],
    [() => schedule.fromJSON({ kind: 'scale', params: { inner: 3, factor: 1 } }), /expected an object with kind/],
    [() => schedule.fromJSON({ kind: 'chain', params: { parts: [] } }), /chain: expected parts to be an array/],
    [() => schedule.perEpoch(schedule.constant({ value: 1 }), { stepsPerEpoch: 0 }), /stepsPerEpoch to be positive/],
    [() => schedule.fromJSON(null), /schedule: expected an object with kind and params/],
    [() => schedule.fromJSON({ kind: 'toString', params: {} }), /expected kind to be one of constant, /],
    [() => schedule.fromJSON({ kind: 'cosine', params: { from: 1 } }), /cosine: expected steps/],
    [() => schedule.fromJSON({ kind: 'cosine', params: { from: '1', steps: 3 } }), /cosine: expected from/],
    [
      () => schedule.fromJSON({ kind: 'cosine', params: { from: 1, steps: 3, max: 2 } }),
      /no options but from, min, steps, received 'max'/,
    ],
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
