// The public ops on tensors of any shape and dtype, with any options: a result, or an AnnealError.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { gradients } from '../../src/autograd/backward.js';
import { scope } from '../../src/tensor/scope.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import type { Options } from '../support/fixtures.js';
import { mix } from '../support/formula.js';
import { type GradientCase, gradientCases } from '../support/gradient_cases.js';
import { size } from '../support/nd.js';
import { publicCalls } from '../support/public_calls.js';
import { isRefusal } from './refusal.js';

const dim = fc.oneof(
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 5 }) },
);
const shape = fc.array(dim, { maxLength: 5 });
const dtype = fc.constantFrom('f32', 'f32', 'f32', 'i32', 'u8');
const number = fc.constantFrom(-1, 0, 0.5, 1, 2, 3, 7, 2 ** 32, 2 ** 53, 1e18, Number.NaN, Number.POSITIVE_INFINITY);
const numbers = fc.array(number, { maxLength: 5 });

/** Another value for an option, of the same kind. */
function another(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value === 'boolean') return fc.boolean();
  if (typeof value === 'number') return number;
  if (typeof value === 'string') return fc.constantFrom('same', 'valid', 'relu', 'mean', 'none', 'i32', 'x');
  if (Array.isArray(value) && Array.isArray(value[0])) return fc.array(numbers, { maxLength: 5 });
  return numbers;
}

function values(dims: readonly number[], kind: 'f32' | 'i32' | 'u8', seed: number, requiresGrad: boolean): Tensor {
  const data = Array.from({ length: size(dims) }, (_, i) => mix(i, seed) % 7);
  if (kind === 'f32')
    return tensor(
      Float32Array.from(data, (v) => v - 3),
      dims,
      { requiresGrad },
    );
  return kind === 'i32'
    ? tensor(
        Int32Array.from(data, (v) => v - 1),
        dims,
      )
    : tensor(Uint8Array.from(data), dims);
}

/** How many calls of each op gave a result. */
export const completed = new Map<string, number>();

/** The property for one op, around the calls that the gradient tests make of it. */
export function publicProperty(op: string, cases: readonly GradientCase[]): fc.IProperty<unknown> {
  completed.set(op, 0);
  const names = [...new Set(cases.flatMap((one) => [...Object.keys(one.inputs), ...Object.keys(one.integers ?? {})]))];
  const keys = new Map(cases.flatMap((one) => Object.entries(one.options ?? {})));
  const one = fc.constantFrom(...cases);
  const changes = fc.record(Object.fromEntries(names.map((name) => [name, fc.record({ dims: shape, kind: dtype })])), {
    requiredKeys: [],
  });
  const options = fc.record(Object.fromEntries([...keys].map(([key, value]) => [key, another(value)])), {
    requiredKeys: [],
  });
  const some = <T>(arbitrary: fc.Arbitrary<T>, none: T) => fc.oneof(arbitrary, fc.constant(none));
  return fc.property(one, some(changes, {}), some(options, {}), fc.integer(), (base, inputs, changed, seed) => {
    try {
      scope(() => {
        const tensors: Record<string, Tensor> = {};
        for (const [name, [dims]] of Object.entries(base.inputs)) tensors[name] = values(dims, 'f32', seed, true);
        for (const [name, [dims]] of Object.entries(base.integers ?? {}))
          tensors[name] = values(dims, 'i32', seed, false);
        for (const [name, input] of Object.entries(inputs))
          if (input) tensors[name] = values(input.dims, input.kind, seed, true);
        const settings: Options = { ...base.options, ...changed };
        const results = Object.values(publicCalls[op]?.(tensors, settings) ?? {});
        for (const y of results) {
          y.dataSync();
          if (!y.requiresGrad) continue;
          const points = Object.values(tensors).filter((t) => t.requiresGrad);
          for (const g of gradients(y, points, values(y.shape, 'f32', seed, false))) g.dataSync();
          break;
        }
        completed.set(op, (completed.get(op) ?? 0) + 1);
      });
    } catch (error) {
      assert.ok(
        isRefusal(error),
        `${op}: expected an AnnealError, received ${error instanceof Error ? error.stack : error}`,
      );
    }
  });
}

/** The ops, each with its cases. */
export function publicOps(): Map<string, GradientCase[]> {
  const ops = new Map<string, GradientCase[]>();
  for (const one of gradientCases) ops.set(one.op, [...(ops.get(one.op) ?? []), one]);
  return ops;
}
