import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortNumber, ticks } from '../../src/chart/ticks.js';
import { AnnealError } from '../../src/errors.js';
import { braille } from '../../src/schedule/braille.js';
import * as schedule from '../../src/schedule/index.js';
import { describe, valueRange } from '../../src/schedule/sample.js';

test('ticks are round numbers within the range', () => {
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0, 0.1, 4), [0, 0.05, 0.1]);
  assert.deepEqual(ticks(0.1, 0.3, 4), [0.1, 0.15, 0.2, 0.25, 0.3]);
  assert.deepEqual(ticks(0, 1000, 8), [0, 200, 400, 600, 800, 1000]);
  assert.deepEqual(ticks(-3e-5, 3e-5, 6), [-3e-5, -2e-5, -1e-5, 0, 1e-5, 2e-5, 3e-5]);
  assert.deepEqual([0.1 + 0.2, 12345, 3e-5, 2e8, 0, 1 / 3].map(shortNumber), [
    '0.3',
    '12345',
    '3e-5',
    '2e+8',
    '0',
    '0.333333',
  ]);
});

test('a schedule in one line', () => {
  const s = schedule.join([
    schedule.warmup({ to: 0.1, steps: 5 }),
    schedule.milestones({ from: 1, gamma: 0.1, milestones: [2, 4] }),
  ]);
  assert.equal(
    describe(s),
    'join(warmup(from 0, to 0.1, steps 5, shape linear), milestones(from 1, gamma 0.1, milestones [2, 4]))',
  );
  assert.equal(describe(schedule.scale(schedule.inverseSqrt({ from: 1 }), 2)), 'scale(inverseSqrt(from 1), factor 2)');
});

const curves = (text: string): [number, number][][] =>
  [...text.matchAll(/class="curve c\d" d="M([^"h]+)"/g)].map(([, path = '']) =>
    path.split('L').map((point) => {
      const [x = Number.NaN, y = Number.NaN] = point.split(',').map(Number);
      return [x, y];
    }),
  );

test('the curve of an SVG lies where its axes say', () => {
  const text = schedule.svg(schedule.linear({ from: 0.1, steps: 400 }), { width: 600, height: 300 });
  const [points = []] = curves(text);
  assert.equal(points.length, 2); // a straight line is two points
  const [[left = 0, top = 0] = [], [right = 0, bottom = 0] = []] = points;
  const ticksAt = [...text.matchAll(/<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">([^<]+)</g)];
  const labels = new Map(ticksAt.map(([, x, y, anchor, label]) => [`${anchor} ${label}`, [Number(x), Number(y)]]));
  assert.ok(Math.abs((labels.get('end 0.1')?.[1] ?? 0) - 4 - top) < 0.1);
  assert.ok(Math.abs((labels.get('end 0')?.[1] ?? 0) - 4 - bottom) < 0.1);
  assert.ok(Math.abs((labels.get('middle 0')?.[0] ?? 0) - left) < 0.1);
  assert.ok(Math.abs((labels.get('middle 400')?.[0] ?? 0) - right) < 0.1);
  assert.match(text, /<title>linear\(from 0\.1, end 0, steps 400\)<\/title>/);
  assert.match(text, /prefers-color-scheme: dark/);
  assert.doesNotMatch(text, /NaN|undefined|Infinity|script/);
});

test('jumps stay jumps, and epochs are on the axis', () => {
  const text = schedule.svg(schedule.step({ from: 1, gamma: 0.5, every: 100 }), {
    steps: 400,
    epochs: 4,
    title: 'a < b',
  });
  const [points = []] = curves(text);
  assert.equal(points.length, 9); // begin and end of 4 levels, and the fifth, reached at the last step
  assert.match(text, /text-anchor="middle">3<\/text>/);
  assert.match(text, />epoch<\/text>/);
  assert.match(text, /a &lt; b<\/text>/);
});

test('several schedules have a curve and a name each', () => {
  const text = schedule.svg({
    up: schedule.warmup({ to: 1, steps: 10 }),
    down: schedule.cosine({ from: 1, steps: 20 }),
    same: schedule.constant({ value: 0.5 }),
  });
  assert.equal(curves(text).length, 3);
  for (const name of ['up', 'down', 'same']) assert.ok(text.includes(`>${name}</text>`), name);
  assert.match(text, /text-anchor="middle">20<\/text>/);
});

test('axes start at 0 unless that would press the curve together', () => {
  const range = (...values: number[]) =>
    valueRange([{ name: '', points: values.map((value, t) => [t, value] as const) }]);
  assert.deepEqual(range(0.1, 0.01), [0, 0.1]);
  assert.deepEqual(range(0.85, 0.95), [0.85, 0.95]);
  assert.deepEqual(range(0.5, 0.5), [0, 1]);
  assert.deepEqual(range(0, 0), [0, 1]);
  assert.deepEqual(range(-1, 1), [-1, 1]);
});

test('a line in braille goes from corner to corner', () => {
  const points = Array.from({ length: 17 }, (_, t) => [t, t] as const);
  assert.deepEqual(braille({ name: '', points }, [0, 16], 4, 2), ['16 ┤⠀⠀⣠⠞', ' 0 ┤⣠⠞⠁⠀', '    0 16']);
});

test('what cannot be drawn is refused', () => {
  const s = schedule.linear({ from: 1, steps: 3 });
  const bad: [() => unknown, RegExp][] = [
    [() => schedule.svg({}), /svg: expected a schedule, or schedules by name/],
    [() => schedule.svg(s, { steps: 0 }), /svg: expected steps to be positive, received 0/],
    [() => schedule.svg(s, { epochs: -1 }), /svg: expected epochs to be positive/],
    [() => schedule.svg(s, { width: Number.NaN }), /svg: expected width to be positive/],
    [
      () => schedule.svg(schedule.exponential({ from: 1, k: -10 })),
      /svg: expected finite values, received others from exponential/,
    ],
  ];
  for (const [call, message] of bad) {
    assert.throws(call, (error: unknown) => error instanceof AnnealError && message.test(error.message));
  }
});
