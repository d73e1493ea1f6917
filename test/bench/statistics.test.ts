import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, quantile, summarize, sumOf } from '../../src/bench/statistics.js';

test('quantiles lie between neighbours, whatever the order', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(quantile([10, 0], 0.25), 2.5);
  assert.equal(quantile([7], 0.9), 7);
  assert.ok(Number.isNaN(median([])));
  const values = Float64Array.of(2, 1);
  median(values);
  assert.deepEqual([...values], [2, 1], 'samples keep their order');
});

test('a summary is in milliseconds of one execution', () => {
  const found = summarize([0.004, 0.001, 0.002, 0.003, 0.005]);
  assert.deepEqual(found, { msMedian: 3, msMin: 1, msMax: 5, msQ1: 2, msQ3: 4, samples: 5 });
});

test('the sum of kernels one after the other', () => {
  const parts = [summarize([0.001, 0.002, 0.003]), summarize([0.01, 0.02])];
  assert.deepEqual(sumOf(parts), { msMedian: 17, msMin: 11, msMax: 23, msQ1: 14, msQ3: 20, samples: 2 });
});
