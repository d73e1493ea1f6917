// Gradients of every differentiable op, and their gradients again, against finite differences in double.
//
// The differences are taken of the reference ops (test/support/reference_ops.ts), which are doubles throughout, so what
// is compared is float32 arithmetic against the truth. Cases are small: values are of order 1, sums have K <= 100 terms,
// and each is allowed (sqrt(K) + 4) rounding errors of 2^-24 a few times over: 1e-5 of the largest expected value.
// A second derivative goes through such arithmetic twice and is made of larger terms: 1e-4.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradients } from '../../src/autograd/backward.js';
import * as ops from '../../src/ops/index.js';
import { scope } from '../../src/tensor/scope.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { differences } from '../support/finite_differences.js';
import { mix, seedOf } from '../support/formula.js';
import { type GradientCase, gradientCases } from '../support/gradient_cases.js';
import { draw, type Nd, nd } from '../support/nd.js';
import { functional, publicCalls } from '../support/public_calls.js';
import { referenceOutputs } from '../support/reference_calls.js';

function compare(what: string, actual: ArrayLike<number>, expected: Nd, factor: number): void {
  assert.equal(actual.length, expected.data.length, `${what}: length`);
  const largest = expected.data.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  expected.data.forEach((e, i) => {
    const difference = Math.abs((actual[i] ?? Number.NaN) - e);
    assert.ok(
      difference <= factor * largest,
      `${what} [${i}]: expected ${e}, received ${actual[i]}, tolerance ${factor * largest}`,
    );
  });
}

/** Everything about a case, drawn from its name. */
function setup(one: GradientCase, label: string) {
  const inputs: Record<string, Nd> = {};
  for (const [name, [shape, domain]] of Object.entries(one.inputs))
    inputs[name] = draw(`${label} ${name}`, shape, domain);
  for (const [name, [shape, limit]] of Object.entries(one.integers ?? {})) {
    const seed = seedOf(`${label} ${name}`);
    inputs[name] = nd(shape);
    inputs[name].data.forEach((_, i, data) => {
      data[i] = mix(i, seed) % limit;
    });
  }
  const options = one.options ?? {};
  const evaluate = (at: Record<string, Nd>) => referenceOutputs(one.op, at, options);
  const outputs = evaluate(inputs);
  const upstream: Record<string, Nd> = {};
  // An output of an input's name is an input updated in place: it carries no gradient.
  for (const [name, y] of Object.entries(outputs))
    if (!(name in inputs)) upstream[name] = draw(`${label} d${name}`, y.shape);
  const value = (at: Record<string, Nd>): number => {
    let sum = 0;
    for (const [name, y] of Object.entries(evaluate(at)))
      if (name in upstream)
        y.data.forEach((v, i) => {
          sum += v * upstream[name]!.data[i]!;
        });
    return sum;
  };
  const leaves = Object.keys(one.inputs).filter((name) => !one.constants?.includes(name));
  return { inputs, options, outputs, upstream, value, leaves };
}

function toTensors(one: GradientCase, inputs: Record<string, Nd>, leaves: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, x]) => [
      name,
      one.integers && name in one.integers
        ? tensor(Int32Array.from(x.data), x.shape)
        : tensor(Float32Array.from(x.data), x.shape, { requiresGrad: leaves.includes(name) }),
    ]),
  );
}

const constant =
  'arange eye full linspace ones onesLike zeros zerosLike bernoulli normal truncatedNormal uniform oneHot';
const stepwise = 'sign floor ceil round argMax argMin isFinite isNaN';
const truth = 'equal notEqual greater greaterEqual less lessEqual logicalAnd logicalNot logicalOr logicalXor';
/** What has no gradient, or has its gradient tested where its values are: dropout's masks and cast's conversions. */
const exempt = new Set(`${constant} ${stepwise} ${truth} dropout cast`.split(' '));

test('every public op has its gradients tested, or has none', () => {
  const tested = new Set(gradientCases.map((one) => one.op));
  const missing = Object.keys(ops).filter((name) => !tested.has(name) && !exempt.has(name));
  assert.deepEqual(missing, []);
  for (const name of exempt) assert.ok(name in ops, `${name} is no public op`);
});

gradientCases.forEach((one, number) => {
  const label = `${one.op} #${number} ${JSON.stringify({ ...one.inputs, ...one.options })}`;
  const call = publicCalls[one.op];

  test(`${label}: forward and gradients`, () => {
    assert.ok(call, `no public op ${one.op}`);
    const { inputs, options, outputs, upstream, value, leaves } = setup(one, label);
    scope(() => {
      const tensors = toTensors(one, inputs, leaves);
      const results = call(tensors, options);
      for (const [name, y] of Object.entries(outputs)) {
        const result = results[name];
        assert.ok(result, `no output ${name}`);
        assert.deepEqual([...result.shape], [...y.shape]);
        compare(`output ${name}`, result.dataSync(), y, 1e-5);
      }
      const found = gradients(
        functional(results, upstream),
        leaves.map((name) => tensors[name]!),
      );
      leaves.forEach((name, i) => {
        const expected = differences((x) => value({ ...inputs, [name]: x }), inputs[name]!);
        assert.deepEqual([...found[i]!.shape], [...expected.shape]);
        compare(`gradient of ${name}`, found[i]!.dataSync(), expected, 1e-5);
      });
    });
  });

  test(`${label}: second derivatives`, () => {
    assert.ok(call, `no public op ${one.op}`);
    const { inputs, options, upstream, value, leaves } = setup(one, label);
    const directions = Object.fromEntries(
      leaves.map((name) => [name, draw(`${label} v ${name}`, inputs[name]!.shape)]),
    );
    scope(() => {
      const tensors = toTensors(one, inputs, leaves);
      const points = leaves.map((name) => tensors[name]!);
      const first = gradients(functional(call(tensors, options), upstream), points, undefined, { createGraph: true });
      // The derivative along the directions: a scalar whose gradient is the Hessian times them.
      const along = functional(Object.fromEntries(leaves.map((name, i) => [name, first[i]!])), directions);
      // An op that is linear in all of its inputs has gradients that depend on none of them.
      const found = along.requiresGrad ? gradients(along, points) : [];
      const h = 3e-4;
      const moved = (from: Record<string, Nd>, step: number) =>
        Object.fromEntries(
          Object.entries(from).map(([name, x]) => {
            const v = directions[name];
            return [
              name,
              v
                ? nd(
                    x.shape,
                    x.data.map((c, i) => c + step * v.data[i]!),
                  )
                : x,
            ];
          }),
        );
      leaves.forEach((name, i) => {
        const derivative = (x: Nd) => {
          const at = { ...inputs, [name]: x };
          return (value(moved(at, h)) - value(moved(at, -h))) / (2 * h);
        };
        const expected = differences(derivative, inputs[name]!, h);
        compare(`second derivative by ${name}`, found[i]?.dataSync() ?? nd(expected.shape).data, expected, 1e-4);
      });
    });
  });
});
