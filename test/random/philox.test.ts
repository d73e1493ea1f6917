// Philox against the known answers of Random123, and the native draws against Philox.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bernoulli, dropout, normal, truncatedNormal, uniform } from '../../src/ops/random/random.js';
import { deriveKey, philox4x32, seedKey, toUnit, type Words } from '../../src/random/philox.js';
import { tensor } from '../../src/tensor/tensor.js';

const hex = (words: Words): string => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');
const ONES = 0xffffffff;

test('philox4x32 gives the known answers of Random123', () => {
  assert.equal(hex(philox4x32([0, 0], [0, 0, 0, 0])), '6627e8d5 e169c58d bc57ac4c 9b00dbd8');
  assert.equal(hex(philox4x32([ONES, ONES], [ONES, ONES, ONES, ONES])), '408f276d 41c83b0e a20bc7c6 6d5451fd');
  assert.equal(
    hex(philox4x32([0xa4093822, 0x299f31d0], [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344])),
    'd16cfe09 94fdcceb 5001e420 24126ea1',
  );
});

test('the native uniform draws are those of philox4x32, bit for bit', () => {
  for (const [seed, stream, counter] of [
    [0, 0, 0],
    [42, 7, 9],
    [2 ** 53 - 1, ONES, ONES],
  ] as const) {
    const draws = uniform([1003], { seed, stream, counter }).dataSync();
    const key = seedKey(seed);
    draws.forEach((value, i) => {
      const words = philox4x32(key, [i >> 2, 0, counter, stream]);
      assert.equal(value, toUnit(words[i & 3]!), `element ${i} of seed ${seed}`);
    });
  }
});

test('a range is applied in double, rounded once and kept below its end', () => {
  const low = Math.fround(-0.3);
  const high = Math.fround(2.7);
  const units = uniform([501], { seed: 5 }).dataSync();
  uniform([501], { seed: 5, low, high })
    .dataSync()
    .forEach((value, i) => {
      assert.equal(value, Math.fround(low + Math.fround(high - low) * units[i]!));
    });
  const narrow = uniform([1000], { seed: 5, low: 1, high: 1 + 2 ** -23 }).dataSync();
  assert.ok(narrow.every((value) => value === 1));
});

test('normal draws are Box-Muller of the same words', () => {
  const key = seedKey(11);
  const draws = normal([402], { seed: 11, mean: 0.5, std: 2 }).dataSync();
  draws.forEach((value, i) => {
    const words = philox4x32(key, [i >> 2, 0, 0, 0]);
    const pair = i & 2;
    const radius = Math.sqrt(-2 * Math.log((words[pair]! + 1) * 2 ** -32));
    const angle = 2 * Math.PI * words[pair + 1]! * 2 ** -32;
    const z = radius * (i & 1 ? Math.sin(angle) : Math.cos(angle));
    // Math.log, sin and cos are not the C library's: allow an ulp or two of float32.
    assert.ok(Math.abs(value - (0.5 + 2 * z)) <= 1e-6, `element ${i}: expected ${0.5 + 2 * z}, received ${value}`);
  });
});

/** Mean and variance with their standard errors for `count` independent draws of the given fourth moment. */
function expectMoments(values: ArrayLike<number>, mean: number, variance: number, kurtosis: number): void {
  const count = values.length;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i]!;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += (values[i]! - sum / count) ** 2;
  const meanError = 5 * Math.sqrt(variance / count);
  const varianceError = 5 * variance * Math.sqrt((kurtosis - 1) / count);
  assert.ok(Math.abs(sum / count - mean) <= meanError, `mean ${sum / count}, expected ${mean} +- ${meanError}`);
  assert.ok(Math.abs(squares / count - variance) <= varianceError, `variance ${squares / count}, expected ${variance}`);
}

test('moments of the distributions, within five standard errors', () => {
  const shape = [200_000];
  expectMoments(uniform(shape, { seed: 1 }).dataSync(), 1 / 2, 1 / 12, 9 / 5);
  expectMoments(normal(shape, { seed: 2, mean: 3, std: 0.5 }).dataSync(), 3, 0.25, 3);
  const cut = truncatedNormal(shape, { seed: 3 }).dataSync();
  // Variance 1 - 2 * 2 phi(2) / (Phi(2) - Phi(-2)); the kurtosis of the cut distribution is below 3.
  expectMoments(cut, 0, 1 - (4 * 0.05399096651318806) / 0.9544997361036416, 3);
  assert.ok(cut.every((value) => Math.abs(value) <= 2));
  const p = 0.3;
  expectMoments(bernoulli(shape, { seed: 4, p }).dataSync(), p, p * (1 - p), 1 / (p * (1 - p)) - 3);
});

test('dropout drops what bernoulli draws and scales the rest', () => {
  const p = 0.25;
  const options = { seed: 3, stream: 5, counter: 8 };
  const x = tensor(Float32Array.from({ length: 999 }, (_, i) => i - 500.5));
  const y = dropout(x, p, options).dataSync();
  const dropped = bernoulli([999], { ...options, p }).dataSync();
  const values = x.dataSync();
  y.forEach((value, i) => {
    assert.equal(value, dropped[i] === 1 ? 0 : Math.fround(values[i]! * Math.fround(1 / (1 - p))));
  });
  assert.ok(
    dropout(x, 1, options)
      .dataSync()
      .every((value) => value === 0),
  );
  assert.deepEqual(dropout(x, 0, options).dataSync(), values);
});

test('keys of different seeds and purposes differ, and are stable', () => {
  assert.deepEqual(deriveKey(42, 'shuffle'), [4090581078, 2850051172]);
  const keys = new Set<string>();
  for (let seed = 0; seed < 30; seed++) for (let i = 0; i < 30; i++) keys.add(deriveKey(seed, `dropout:${i}`).join());
  assert.equal(keys.size, 900);
});

test('what is no seed, stream, probability or range is refused', () => {
  for (const seed of [-1, 0.5, 2 ** 53, Number.NaN])
    assert.throws(() => uniform([2], { seed }), { code: 'E_ARGUMENT' });
  assert.throws(() => uniform([2], { seed: 1, stream: 2 ** 32 }), { code: 'E_ARGUMENT' });
  assert.throws(() => uniform([2], { seed: 1, low: 1, high: 0 }), { code: 'E_RANGE' });
  assert.throws(() => uniform([2], { seed: 1, low: -3e38, high: 3e38 }), { code: 'E_RANGE' });
  assert.throws(() => normal([2], { seed: 1, std: -1 }), { code: 'E_RANGE' });
  assert.throws(() => bernoulli([2], { seed: 1, p: 1.5 }), { code: 'E_RANGE' });
  assert.throws(() => dropout(tensor([1, 2]), Number.NaN, { seed: 1 }), { code: 'E_RANGE' });
});
