// The pass that takes a cross-entropy loss and its gradient together: the same bits, and only where nothing else changes.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import * as autograd from '../../src/autograd/index.js';
import { cpuInfo, setInstructionSet } from '../../src/device.js';
import * as ops from '../../src/ops/index.js';
import type { CrossEntropyOptions } from '../../src/ops/softmax_cross_entropy/softmax_cross_entropy.js';
import { keep, scope } from '../../src/tensor/scope.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { compare, get, type Inputs } from './comparing.js';
import { balanced } from './setup.js';

const FUSED = 'softmax_cross_entropy+softmax_cross_entropy_backward';

/** Logits that spread over some orders of magnitude, class indices and probabilities, weights of classes. */
const make =
  (rows: number, classes: number) =>
  (seed: number): Inputs => ({
    x: keep(scope(() => ops.affine(ops.normal([rows, classes], { seed }), 8))),
    index: tensor(Int32Array.from({ length: rows }, (_, i) => (7 * i + seed) % classes)),
    dense: keep(scope(() => ops.softmax(ops.normal([rows, classes], { seed, stream: 1 })))),
    weights: keep(ops.uniform([classes], { seed, stream: 2 })),
  });

interface Form extends Omit<CrossEntropyOptions, 'classWeights'> {
  readonly dense?: boolean;
  readonly weighted?: boolean;
}

function lossOf(inputs: Inputs, x: Tensor, { dense = false, weighted = false, ...options }: Form): Tensor {
  const classWeights = weighted ? { classWeights: get(inputs, 'weights') } : {};
  return ops.softmaxCrossEntropy(x, get(inputs, dense ? 'dense' : 'index'), { ...options, ...classWeights });
}

/** The loss and its gradient. */
const step =
  (form: Form) =>
  (inputs: Inputs): Tensor[] => {
    const { value, grads } = autograd.valueAndGrad((x: Tensor) => lossOf(inputs, x, form))(get(inputs, 'x'));
    return [value, ...grads];
  };

const { isa, runnable } = cpuInfo();
after(() => setInstructionSet(isa));

for (const set of runnable)
  for (const reduction of ['mean', 'sum'] as const)
    for (const dense of [false, true])
      balanced(`loss and gradient are one op: ${reduction}, dense ${dense}, ${set}`, async () => {
        setInstructionSet(set);
        for (const weighted of [false, true])
          for (const labelSmoothing of [0, 0.1])
            for (const [rows, classes] of [
              [128, 10],
              [9, 100],
              [3, 4099],
            ] as const) {
              const form = { reduction, dense, weighted, labelSmoothing };
              assert.deepEqual(await compare(step(form), make(rows, classes)), [FUSED]);
            }
      });

balanced('also where rows are ignored, or all are', async () => {
  setInstructionSet(isa);
  assert.deepEqual(await compare(step({ ignoreIndex: 3 }), make(40, 7)), [FUSED]);
  assert.deepEqual(await compare(step({ ignoreIndex: 0 }), make(5, 1)), [FUSED]);
});

balanced('also with a product before and after, and logits that somebody else reads', async () => {
  const layer = (inputs: Inputs): Tensor[] => {
    const losses = autograd.valueAndGrad((w: Tensor) => lossOf(inputs, ops.matmul(get(inputs, 'dense'), w), {}));
    const { value, grads } = losses(ops.matmul(get(inputs, 'x'), get(inputs, 'dense'), { transposeA: true }));
    return [value, ...grads, ops.argMax(get(inputs, 'x'), -1)];
  };
  const found = await compare(layer, make(11, 11));
  assert.deepEqual(
    found.filter((op) => op !== 'sgemm' && op !== 'reduce'),
    [FUSED],
  );
});

balanced('leaves alone what is not the gradient of the loss itself', async () => {
  const forward = ['softmax_cross_entropy', 'softmax_cross_entropy_backward'];
  const gradients =
    (loss: (inputs: Inputs, x: Tensor) => Tensor) =>
    (inputs: Inputs): Tensor[] => [...autograd.grad((x: Tensor) => loss(inputs, x))(get(inputs, 'x'))];
  // A seed that is not 1: the gradient of half the loss, of its square, of the loss of each row.
  const others: ((inputs: Inputs, x: Tensor) => Tensor)[] = [
    (inputs, x) => ops.mul(lossOf(inputs, x, {}), 0.5),
    (inputs, x) => ops.square(lossOf(inputs, x, {})),
    (inputs, x) => ops.sum(lossOf(inputs, x, { reduction: 'none' })),
    (inputs, x) => ops.mul(lossOf(inputs, x, {}), ops.sum(get(inputs, 'weights'))),
  ];
  for (const loss of others) {
    const found = await compare(gradients(loss), make(6, 5));
    assert.deepEqual(
      found.filter((op) => op.startsWith('softmax')),
      forward,
    );
  }
});

balanced('two gradients of one loss: the first comes along, the second is taken by itself', async () => {
  const twice = (inputs: Inputs): Tensor[] => {
    const x = get(inputs, 'x').detach().requireGrad();
    const loss = lossOf(inputs, x, {});
    const [first] = autograd.gradients(loss, [x], undefined, { retainGraph: true });
    const [second] = autograd.gradients(loss, [x]);
    return [loss, first as Tensor, second as Tensor];
  };
  assert.deepEqual(await compare(twice, make(6, 5)), [FUSED, 'fill', 'softmax_cross_entropy_backward']);
});

balanced('a seed that is read again stays', async () => {
  const shared = (inputs: Inputs): Tensor[] => {
    const x = get(inputs, 'x').detach().requireGrad();
    const loss = lossOf(inputs, x, {});
    const seed = ops.ones([]);
    const [gradient] = autograd.gradients(loss, [x], seed);
    return [gradient as Tensor, ops.add(loss, seed)];
  };
  assert.deepEqual(await compare(shared, make(6, 5)), [FUSED, 'fill', 'binary']);
});
