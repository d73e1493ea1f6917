// The oracle itself: the reference ops of the tests, and the finite differences taken of them, against PyTorch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differences } from '../support/finite_differences.js';
import { type FixtureCase, fixtureCases, rooms, storedNd } from '../support/fixtures.js';
import type { Nd } from '../support/nd.js';
import { referenceOutputs } from '../support/reference_calls.js';

// Both sides are computed in double. What is stored was rounded to float32 (half an ulp: 2^-24 of itself).
const FORWARD = { relative: 2 ** -23, absolute: 1e-9 };
// Central differences at h = 1e-5: truncation h^2, rounding 2^-53 / h, each times the size of the functional's terms.
const GRADIENT = { relative: 1e-6, absolute: 2e-7 };

function compare(what: string, actual: Nd, expected: Nd, bound: { relative: number; absolute: number }): void {
  assert.deepEqual(actual.shape, expected.shape, what);
  expected.data.forEach((e, i) => {
    const a = actual.data[i] ?? Number.NaN;
    const tolerance = bound.absolute + bound.relative * Math.abs(e);
    assert.ok(Math.abs(a - e) <= tolerance, `${what} [${i}]: expected ${e}, received ${a}, tolerance ${tolerance}`);
  });
}

function check(one: FixtureCase): void {
  const inputs: Record<string, Nd> = {};
  for (const [name, stored] of Object.entries(one.inputs)) inputs[name] = storedNd(stored);
  const outputs = (at: Record<string, Nd>) => referenceOutputs(one.op, at, one.options);
  const found = outputs(inputs);
  for (const [name, stored] of Object.entries(one.outputs)) {
    const expected = storedNd(stored);
    assert.ok(found[name], `no output ${name}`);
    compare(`output ${name}`, found[name], expected, FORWARD);
  }
  const functional = (name: string) => (x: Nd) => {
    const y = outputs({ ...inputs, [name]: x });
    let sum = 0;
    for (const [key, dy] of Object.entries(one.upstream))
      dy.data.forEach((value, i) => {
        sum += value * (y[key]?.data[i] ?? Number.NaN);
      });
    return sum;
  };
  for (const [name, stored] of Object.entries(one.gradients)) {
    const x = inputs[name];
    assert.ok(x);
    compare(`gradient of ${name}`, differences(functional(name), x), storedNd(stored), GRADIENT);
  }
}

for (const room of rooms) {
  test(`${room}: the reference ops agree with PyTorch`, () => {
    for (const one of fixtureCases(room)) {
      // Differences cost two evaluations an element: the largest cases prove nothing that the small ones do not.
      if (Object.values(one.inputs).some((x) => x.data.length > 400)) continue;
      try {
        check(one);
      } catch (error) {
        assert.fail(`${one.op} '${one.name}': ${error instanceof Error ? error.message : error}`);
      }
    }
  });
}
