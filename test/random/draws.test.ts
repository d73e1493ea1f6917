// Draws: a stream that follows from its key, and the distributions made of it, by their moments.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Draws } from '../../src/random/draws.js';
import { deriveKey, philox4x32 } from '../../src/random/philox.js';

const COUNT = 20_000;
const sample = (draw: (draws: Draws) => number): number[] => {
  const draws = new Draws(5, 'test', 1, 2);
  return Array.from({ length: COUNT }, () => draw(draws));
};
const moment = (values: readonly number[], about: number, power: number): number =>
  values.reduce((sum, value) => sum + (value - about) ** power, 0) / values.length;

test('the words of blocks 0, 1, ... of one stream', () => {
  const draws = new Draws(5, 'test', 1, 2);
  const key = deriveKey(5, 'test');
  const expected = [0, 1].flatMap((block) => philox4x32(key, [block, 1, 2, 0]));
  assert.deepEqual(
    expected.map(() => draws.word()),
    expected,
  );
  assert.notDeepEqual(new Draws(5, 'test', 1, 3).word(), expected[0]);
});

// Bounds are five standard errors; the seed is fixed, so the outcomes are too.
test('whole numbers below a range, numbers in (0, 1), normal numbers', () => {
  const whole = sample((draws) => draws.below(7));
  for (let value = 0; value < 7; value++) {
    const count = whole.filter((each) => each === value).length;
    assert.ok(Math.abs(count - COUNT / 7) < 5 * Math.sqrt(COUNT * (1 / 7) * (6 / 7)), `${value}: ${count}`);
  }
  const units = sample((draws) => draws.unit());
  assert.ok(units.every((value) => value > 0 && value < 1));
  assert.ok(Math.abs(moment(units, 0, 1) - 0.5) < 5 * Math.sqrt(1 / 12 / COUNT));
  const normal = sample((draws) => draws.normal());
  assert.ok(Math.abs(moment(normal, 0, 1)) < 5 * Math.sqrt(1 / COUNT));
  assert.ok(Math.abs(moment(normal, 0, 2) - 1) < 5 * Math.sqrt(2 / COUNT));
  assert.ok(Math.abs(moment(normal, 0, 4) - 3) < 5 * Math.sqrt(96 / COUNT));
});

test('beta: mean and variance, also where alpha is small or large', () => {
  for (const alpha of [0.001, 0.2, 1, 8, 1e4]) {
    const values = sample((draws) => draws.beta(alpha));
    assert.ok(values.every((value) => value >= 0 && value <= 1));
    const variance = 1 / (4 * (2 * alpha + 1));
    // About the mean the fourth moment is 3 (2 alpha + 1) / (2 alpha + 3) times the variance's square.
    const fourth = (3 * (2 * alpha + 1)) / (2 * alpha + 3);
    assert.ok(Math.abs(moment(values, 0.5, 1)) < 5 * Math.sqrt(variance / COUNT), `alpha ${alpha}`);
    const error = Math.abs(moment(values, 0.5, 2) / variance - 1);
    assert.ok(error < 5 * Math.sqrt((fourth - 1) / COUNT) + 1e-9, `alpha ${alpha}: variance off by ${error}`);
  }
});
