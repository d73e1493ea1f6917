// What the tests of the passes share: a function run as it is, captured, and captured without passes.
import assert from 'node:assert/strict';
import { capture } from '../../src/capture/index.js';
import * as ops from '../../src/ops/index.js';
import { keep, scope } from '../../src/tensor/scope.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { sameBits } from './setup.js';

export type Inputs = Readonly<Record<string, Tensor>>;

/** The ops of a plan, in order, as `explain` names them: 'sgemm', or 'sgemm+unary' where they were fused. */
export function opsOf(explained: string): string[] {
  return explained
    .split('\n')
    .slice(2, -1)
    .map((line) => {
      const [, op = ''] = line.trim().split(/ +/);
      return line.match(/fused: (.*)$/)?.[1]?.replaceAll(' + ', '+') ?? op;
    });
}

/** Runs `fn` as it is, captured, and captured without passes, on three sets of inputs; gives the ops of the plan. */
export async function compare(fn: (inputs: Inputs) => Tensor[], make: (seed: number) => Inputs): Promise<string[]> {
  using fused = capture(fn);
  using plain = capture(fn, { fuse: false });
  for (const seed of [1, 2, 3]) {
    const inputs = make(seed);
    const results = scope(() => [fn(inputs), fused(inputs), plain(inputs)]);
    const [expected = [], ...others] = await Promise.all(
      results.map((tensors) => Promise.all(tensors.map((tensor) => tensor.data() as Promise<Float32Array>))),
    );
    for (const actual of others) {
      assert.equal(actual.length, expected.length);
      actual.forEach(
        (values, i) => void sameBits(values, expected[i] ?? new Float32Array(), `result ${i}, seed ${seed}`),
      );
    }
    for (const tensor of [...results.flat(), ...Object.values(inputs)]) tensor.dispose();
  }
  assert.ok(opsOf(plain.explain()).every((op) => !op.includes('+')));
  return opsOf(fused.explain());
}

/** Normal numbers of these shapes, for a seed. */
export const normal =
  (shapes: Readonly<Record<string, readonly number[]>>) =>
  (seed: number): Inputs =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape], stream) => [name, keep(ops.normal(shape, { seed, stream }))]),
    );

export const get = (inputs: Inputs, name: string): Tensor => inputs[name] as Tensor;
