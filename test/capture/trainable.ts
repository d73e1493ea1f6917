// A training step that can run as it is or captured, from the same start.
import assert from 'node:assert/strict';
import * as autograd from '../../src/autograd/index.js';
import type * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import { create, type OptimizerSpec } from '../../src/optim/index.js';
import type { Num } from '../../src/scalar.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';

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
