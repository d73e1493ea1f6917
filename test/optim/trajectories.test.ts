// 50 steps of every optimizer against PyTorch's, in float64: test/fixtures/make_optimizer_fixtures.py.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  type AdamOptions,
  adam,
  adamw,
  create,
  type RmspropOptions,
  rmsprop,
  type SgdOptions,
  sgd,
} from '../../src/optim/index.js';
import type { OptimizerSpec } from '../../src/optim/spec.js';
import { fromJSON } from '../../src/schedule/index.js';
import { sizeOf } from '../../src/tensor/shape.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { formula } from '../support/formula.js';

type Values = Readonly<Record<string, readonly number[]>>;

interface Trajectory {
  readonly name: string;
  readonly optimizer: 'sgd' | 'adam' | 'adamw' | 'rmsprop';
  readonly options: SgdOptions & AdamOptions & RmspropOptions;
  readonly steps: Readonly<Record<string, { readonly params: Values; readonly ema?: Values }>>;
}

/** Schedules are told as JSON. */
const trajectories = JSON.parse(
  readFileSync(new URL('../fixtures/optimizers/trajectories.json', import.meta.url), 'utf8'),
  (_key, value: unknown) =>
    typeof value === 'object' && value !== null && 'kind' in value && 'params' in value ? fromJSON(value) : value,
) as Trajectory[];

const shapes: readonly (readonly [string, readonly number[]])[] = [
  ['dense/kernel', [3, 5]],
  ['dense/bias', [5]],
  ['conv/kernel', [2, 2, 1, 3]],
  ['norm/scale', [7]],
];

const makers: Readonly<Record<Trajectory['optimizer'], (options: Trajectory['options']) => OptimizerSpec>> = {
  sgd,
  adam,
  adamw,
  rmsprop,
};

// 50 updates, each rounded to f32 a few times at a magnitude of about 1: 3e-7 was measured at worst
const TOLERANCE = 1e-6;

function compare(where: string, actual: ReadonlyMap<string, Tensor<'f32'>>, expected: Values): void {
  for (const [name, values] of Object.entries(expected)) {
    const found = actual.get(name)?.dataSync() ?? [];
    assert.equal(found.length, values.length, `${where}: ${name}`);
    values.forEach((value, i) => {
      const difference = Math.abs((found[i] ?? Number.NaN) - value);
      assert.ok(
        difference <= TOLERANCE * (1 + Math.abs(value)),
        `${where}: ${name}[${i}] is ${found[i]}, expected ${value}`,
      );
    });
  }
}

for (const { name, optimizer: kind, options, steps } of trajectories) {
  test(`${name} follows PyTorch`, () => {
    const parameters = new Map(
      shapes.map(
        ([key, shape], k) => [key, tensor(formula(sizeOf(shape), 1000 * (k + 1)), shape).requireGrad()] as const,
      ),
    );
    using optimizer = create(makers[kind](options), parameters);
    for (let t = 1; t <= 50; t++) {
      shapes.forEach(([key, shape], k) => {
        const parameter = parameters.get(key);
        assert.ok(parameter);
        const weights = parameter.dataSync();
        const draws = formula(sizeOf(shape), 1000 * (k + 1) + t);
        parameter.grad = tensor(
          draws.map((draw, i) => draw + 0.5 * (weights[i] ?? 0)),
          shape,
        );
      });
      optimizer.step();
      optimizer.zeroGrad();
      const expected = steps[t];
      if (!expected) continue;
      compare(`step ${t}`, parameters, expected.params);
      if (expected.ema) compare(`step ${t}, ema`, optimizer.emaParameters(), expected.ema);
    }
  });
}
