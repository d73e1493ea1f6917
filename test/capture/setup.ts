// A training step that can run as it is or captured, from the same start.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as autograd from '../../src/autograd/index.js';
import { capture } from '../../src/capture/index.js';
import { memory, trim } from '../../src/device.js';
import type * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import { create, type OptimizerSpec } from '../../src/optim/index.js';
import type { Num, Scalar } from '../../src/scalar.js';
import { scope } from '../../src/tensor/scope.js';
import { liveTensors, type Tensor, tensor } from '../../src/tensor/tensor.js';

export interface StepInputs {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly [name: string]: Tensor;
}

/** A model with its optimizer, and one step of training as a function. */
export function trainable(model: nn.Sequential, shape: readonly number[], spec: OptimizerSpec) {
  model.build(shape, 1);
  const optimizer = create(spec, model.namedParameters());
  return {
    model,
    optimizer,
    step({ x, y }: StepInputs, t: Num) {
      const logits = model.forward(x, { training: true, seed: 5, step: t });
      const loss = ops.softmaxCrossEntropy(logits, y);
      optimizer.zeroGrad();
      autograd.backward(loss);
      optimizer.step(t);
      return { loss, accuracy: ops.mean(ops.cast(ops.equal(ops.argMax(logits, -1), y), 'f32')) };
    },
    [Symbol.dispose]() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

export type Trainable = ReturnType<typeof trainable>;

/** A batch that depends on `seed` alone. */
export function batchOf(
  size: number,
  shape: readonly number[],
  classes: number,
  seed: number,
): StepInputs & Disposable {
  const x = ops.normal([size, ...shape], { seed });
  const y = tensor(Int32Array.from({ length: size }, (_, i) => (7 * i + seed) % classes));
  return {
    x,
    y,
    [Symbol.dispose]() {
      x.dispose();
      y.dispose();
    },
  };
}

/** Every weight, buffer and piece of optimizer state. */
export async function stateOf({ model, optimizer }: Trainable): Promise<Map<string, Float32Array>> {
  const state = new Map<string, Float32Array>();
  for (const [name, { data }] of await model.stateDict()) state.set(name, data);
  const { tensors } = await optimizer.stateDict();
  for (const [name, { data }] of Object.entries(tensors)) state.set(`optimizer ${name}`, data as Float32Array);
  return state;
}

/** The same words, NaN and signed zeros told apart. */
export function sameBits(a: Float32Array, b: Float32Array, what: string): void {
  assert.deepEqual(
    new Int32Array(a.buffer, a.byteOffset, a.length),
    new Int32Array(b.buffer, b.byteOffset, b.length),
    what,
  );
}

/** Runs the step as it is and captured side by side on the same batches; everything must have the same bits. */
export async function compareRuns(
  make: () => Trainable,
  batches: readonly { readonly size: number; readonly seed: number }[],
  shape: readonly number[],
  classes: number,
) {
  using eager = make();
  using replayed = make();
  const step = capture((inputs: StepInputs, { t }: { t: Scalar }) => replayed.step(inputs, t));
  let t = 0;
  for (const { size, seed } of batches) {
    using batch = batchOf(size, shape, classes, seed);
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
