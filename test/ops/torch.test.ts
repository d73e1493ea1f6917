// Every op and its gradients against stored PyTorch results: test/fixtures/make_op_fixtures.py.
//
// The stored values are true to half an ulp, so what is compared is our float32 arithmetic. The longest sums have some
// 300 terms of order 1, each with a rounding error of 2^-24: 4 (sqrt(300) + 4) 2^-24 = 5e-6 of the largest value. Twice
// that is allowed. Integers and truth values must be equal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradients } from '../../src/autograd/backward.js';
import { scope } from '../../src/tensor/scope.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { type FixtureCase, fixtureCases, rooms, type Stored, storedNd } from '../support/fixtures.js';
import type { Nd } from '../support/nd.js';
import { functional, publicCalls } from '../support/public_calls.js';

const TOLERANCE = 1e-5;

function compare(what: string, actual: Tensor, stored: Stored, cancelled = 0): void {
  assert.deepEqual([...actual.shape], [...stored.shape], `${what}: shape`);
  const values = actual.dataSync();
  const exact = stored.dtype !== 'f32';
  const largest = stored.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const tolerance = exact ? 0 : TOLERANCE * Math.max(largest, 1e-3) + 2 ** -24 * cancelled;
  stored.data.forEach((e, i) => {
    const a = values[i] ?? Number.NaN;
    assert.ok(Math.abs(a - e) <= tolerance, `${what} [${i}]: expected ${e}, received ${a}, tolerance ${tolerance}`);
  });
}

function toTensor(stored: Stored, requiresGrad: boolean): Tensor {
  // Truth values are i32 here.
  if (stored.dtype !== 'f32') return tensor(Int32Array.from(stored.data), stored.shape);
  return tensor(Float32Array.from(stored.data), stored.shape, { requiresGrad });
}

function check(one: FixtureCase): void {
  const call = publicCalls[one.op];
  assert.ok(call, `no public op ${one.op}`);
  const leaves = Object.keys(one.gradients);
  const inputs: Record<string, Tensor> = {};
  for (const [name, stored] of Object.entries(one.inputs)) inputs[name] = toTensor(stored, leaves.includes(name));
  const results = call(inputs, one.options);
  for (const [name, stored] of Object.entries(one.outputs)) {
    const result = results[name];
    assert.ok(result, `no output ${name}`);
    compare(`output ${name}`, result, stored);
  }
  if (!Object.values(results).some((y) => y.requiresGrad)) {
    // Steps such as floor carry no gradient here; in PyTorch theirs is zero.
    for (const name of leaves)
      assert.ok(
        one.gradients[name]!.data.every((x) => x === 0),
        `no gradient of ${name}`,
      );
    return;
  }
  const upstream: Record<string, Nd> = {};
  for (const [name, stored] of Object.entries(one.upstream)) upstream[name] = storedNd(stored);
  const found = gradients(
    functional(results, upstream),
    leaves.map((name) => inputs[name]!),
  );
  // In the gradient of a normalisation terms of up to dy / sqrt(epsilon) cancel where the variance is 0.
  const { epsilon } = one.options;
  const cancelled = epsilon === undefined ? 0 : 1 / Math.sqrt(epsilon);
  leaves.forEach((name, i) => {
    compare(`gradient of ${name}`, found[i]!, one.gradients[name]!, cancelled);
  });
}

for (const room of rooms)
  for (const one of fixtureCases(room)) test(`${one.op}: ${one.name}`, () => scope(() => check(one)));
