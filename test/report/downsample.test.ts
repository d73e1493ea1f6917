import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gridSteps, onGrid, smoothed, thinned } from '../../src/report/downsample.js';
import { indexRange } from '../../src/report/series.js';

const series = (value: readonly number[], first = 0) => ({ step: value.map((_, i) => first + i), value: [...value] });

test('downsampling: the least and the greatest of each bucket, in their order', () => {
  const grid = { from: 0, to: 8, buckets: 2 };
  assert.deepEqual(gridSteps(grid), [1, 3, 5, 7]);
  assert.deepEqual(
    onGrid(series([5, 9, 1, 5, 2, 2, 7, 3, 8]), grid),
    [9, 1, 2, 8],
    'the last step belongs to the last bucket',
  );
  assert.deepEqual(onGrid(series([4, 4, 4]), grid), [4, null, null, null], 'a constant is one point');
  assert.deepEqual(onGrid(series([Number.NaN, 3, Number.POSITIVE_INFINITY, 1]), grid), [3, 1, null, null]);
  assert.deepEqual(onGrid(series([1, 2, 3], 100), grid), [null, null, null, null], 'nothing within');
  assert.deepEqual(onGrid(series([6]), { from: 0, to: 0, buckets: 1 }), [6, null], 'a range of one step');
});

test('downsampling: a spike in 10,000 points is not lost', () => {
  const value = Array.from({ length: 10_000 }, (_, i) => (i === 4321 ? 100 : Math.sin(i / 300)));
  const { x, y } = thinned(series(value), 400);
  assert.ok(x.length <= 400 && x.length > 300, `${x.length}`);
  assert.equal(Math.max(...y.map((here) => here ?? 0)), 100);
  assert.ok(Math.abs((x[y.indexOf(100)] ?? 0) - 4321) <= 10_000 / 200);
  assert.deepEqual(thinned(series([1, 2]), 400), { x: [0, 1], y: [1, 2] });
});

test('downsampling: indices of a range of steps', () => {
  const step = [1, 3, 3, 7];
  assert.deepEqual(indexRange(step, 3, 6), [1, 3]);
  assert.deepEqual(indexRange(step, 0, 9), [0, 4]);
  assert.deepEqual(indexRange(step, 4, 5), [3, 3]);
  assert.deepEqual(indexRange([], 0, 1), [0, 0]);
});

test('smoothing: a mean corrected for its start, blind to what is not finite', () => {
  const rounded = (values: readonly number[]): number[] => values.map((here) => Number(here.toFixed(6)));
  const { value } = smoothed(series([1, 1, 2]), 0.5);
  assert.deepEqual(rounded(value), [1, 1, 1.571429]); // (0.5 * 2 + 0.25 + 0.125) / 0.875
  // Steps 0, 1 and 3: the last has two steps' weight, 0.75, and what was before a quarter of its 0.75.
  assert.deepEqual(rounded(smoothed(series([1, 1, Number.NaN, 4]), 0.5).value), [1, 1, Number.NaN, 3.4]);
  assert.deepEqual(smoothed(series([3, 5]), 0).value, [3, 5]);
});
