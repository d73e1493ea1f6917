// What the tests of captured functions share.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capture } from '../../src/capture/index.js';
import { memory, trim } from '../../src/device.js';
import type { Scalar } from '../../src/scalar.js';
import { scope } from '../../src/tensor/scope.js';
import { liveTensors, type Tensor, tensor } from '../../src/tensor/tensor.js';
import { batchOf, type StepInputs, sameBits, stateOf, type Trainable } from './trainable.js';

export * from './trainable.js';

/**
 * Runs the step as it is and captured side by side on the same batches, `before` each step on both; everything must have the same
 * bits.
 */
export async function compareRuns(
  make: () => Trainable,
  batches: readonly { readonly size: number; readonly seed: number }[],
  shape: readonly number[],
  classes: number,
  before: (trainable: Trainable, t: number) => void = () => undefined,
) {
  using eager = make();
  using replayed = make();
  const step = capture((inputs: StepInputs, { t }: { t: Scalar }) => replayed.step(inputs, t));
  let t = 0;
  for (const { size, seed } of batches) {
    using batch = batchOf(size, shape, classes, seed);
    before(eager, t);
    before(replayed, t);
    const expected = scope(() => eager.step(batch, t));
    const actual = step(batch, { t });
    for (const name of ['loss', 'accuracy'] as const) {
      sameBits(
        (await actual[name].data()) as Float32Array,
        (await expected[name].data()) as Float32Array,
        `${name} of step ${t}`,
      );
      actual[name].dispose();
      expected[name].dispose();
    }
    t++;
  }
  const [ours, theirs] = [await stateOf(replayed), await stateOf(eager)];
  assert.deepEqual([...ours.keys()], [...theirs.keys()]);
  for (const [name, values] of theirs) sameBits(ours.get(name) ?? new Float32Array(), values, name);
  assert.equal(replayed.optimizer.stepCount, eager.optimizer.stepCount);
  return step;
}

/** A test at whose end no tensor and no buffer is left. */
export function balanced(name: string, body: () => void | Promise<void>): void {
  test(name, async () => {
    trim();
    const before = [liveTensors(), memory().liveBuffers, memory().liveBytes];
    await body();
    assert.deepEqual([liveTensors(), memory().liveBuffers, memory().liveBytes], before);
  });
}

/** The input of a function of one tensor. */
export type One = { readonly x: Tensor };

/** Calls a captured function of one tensor on values, and gives the values of its result. */
export function valuesOf(fn: (inputs: One) => Tensor, values: readonly number[]): number[] {
  return scope(() => [...fn({ x: tensor(values) }).dataSync()]);
}
