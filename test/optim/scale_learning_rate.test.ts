import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnnealError } from '../../src/errors.js';
import { scaleLearningRate } from '../../src/optim/index.js';
import { cosine, fromJSON } from '../../src/schedule/index.js';

test('linear and square-root scaling of a number', () => {
  assert.equal(scaleLearningRate({ base: 0.1, from: 256, to: 8192 }), 3.2); // Goyal et al., section 2.1
  assert.equal(scaleLearningRate({ base: 0.1, from: 128, to: 2048, rule: 'sqrt' }), 0.4);
  assert.equal(scaleLearningRate({ base: 0.4, from: 512, to: 128 }), 0.1);
  assert.equal(scaleLearningRate({ base: 0.3, from: 64, to: 64, rule: 'sqrt' }), 0.3);
});

test('a schedule is scaled as a whole and survives JSON', () => {
  const base = cosine({ from: 0.1, min: 0.01, steps: 10 });
  const scaled = scaleLearningRate({ base, from: 32, to: 128 });
  for (let t = 0; t < 12; t++) assert.equal(scaled.at(t), 4 * base.at(t));
  assert.equal(scaled.length, 10);
  assert.equal(fromJSON(JSON.parse(JSON.stringify(scaled))).at(3), scaled.at(3));
});

test('bad arguments are refused by name', () => {
  const bad: [Parameters<typeof scaleLearningRate>[0], RegExp][] = [
    [{ base: -1, from: 1, to: 2 }, /scaleLearningRate: expected base to be a number of at least 0, received -1/],
    [{ base: 1, from: 0, to: 2 }, /expected from to be a positive number of samples, received 0/],
    [{ base: 1, from: 1, to: Number.NaN }, /expected to to be a positive number of samples, received NaN/],
    [JSON.parse('{ "base": 1, "from": 1, "to": 2, "rule": "cubic" }'), /rule to be 'linear' or 'sqrt', received cubic/],
  ];
  for (const [options, message] of bad) {
    assert.throws(
      () => scaleLearningRate(options),
      (error: unknown) => error instanceof AnnealError && message.test(error.message),
    );
  }
});
