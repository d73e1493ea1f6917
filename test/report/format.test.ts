import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clock, duration, integer, percent, significant } from '../../src/report/format.js';

test('format: numbers', () => {
  assert.deepEqual([0.98765, 1, Number.NaN].map(percent), ['98.77%', '100.00%', '–']);
  assert.deepEqual([12345.6, 0, Number.POSITIVE_INFINITY].map(integer), ['12,346', '0', '–']);
  assert.deepEqual(
    [0, 0.0123456, -2.5, 12345.6, 9.87e-5, 1.5e7, Number.NaN, Number.NEGATIVE_INFINITY].map(significant),
    ['0', '0.01235', '-2.500', '12346', '9.87e-5', '1.50e+7', 'NaN', '-Infinity'],
  );
});

test('format: times', () => {
  assert.deepEqual([0, 0.0446, 0.9996, 4.24, 59.96, 65, 7384].map(duration), [
    '0 ms',
    '45 ms',
    '1.0 s',
    '4.2 s',
    '1:00',
    '1:05',
    '2:03:04',
  ]);
  assert.deepEqual([0, 7.4, 59.6, 3600, -1].map(clock), ['0:00', '0:07', '1:00', '1:00:00', '–']);
});
