// Where gradients end up: in the slots of an optimizer's arena, written once; elsewhere in memory of their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backward, gradients } from '../../src/autograd/backward.js';
import { backendOf } from '../../src/backend/device.js';
import { capture } from '../../src/bench/capture.js';
import * as ops from '../../src/ops/index.js';
import { create } from '../../src/optim/optimizer.js';
import { sgd } from '../../src/optim/sgd.js';
import { scope } from '../../src/tensor/scope.js';
import { liveTensors, type Tensor, tensor } from '../../src/tensor/tensor.js';

type Parameters = Record<keyof typeof shapes, Tensor<'f32'>>;

const shapes = {
  table: [5, 8],
  convWeight: [3, 3, 2, 4],
  convBias: [4],
  depthwiseWeight: [3, 3, 4, 2],
  depthwiseBias: [8],
  batchGamma: [8],
  batchBeta: [8],
  layerGamma: [8],
  layerBeta: [8],
  scale: [8],
  column: [4, 1],
  denseWeight: [8, 3],
  denseBias: [3],
} as const;

const draw = (shape: readonly number[], seed: number): Tensor<'f32'> => ops.normal(shape, { seed });

function parameters(): Parameters {
  const made = Object.entries(shapes).map(([name, shape], i) => [name, draw(shape, i).requireGrad()]);
  return Object.fromEntries(made);
}

/** A loss that every parameter has a part in, each by the op that is usual for its kind. */
function lossOf(p: Parameters): Tensor {
  const image = draw([2, 6, 6, 2], 90);
  const y = ops.conv2d(image, p.convWeight, { bias: p.convBias, activation: 'relu', padding: 'same' });
  const z = ops.depthwiseConv2d(y, p.depthwiseWeight, { bias: p.depthwiseBias, activation: 'tanh' });
  const b = ops.batchNorm(z, { training: true, gamma: p.batchGamma, beta: p.batchBeta });
  const rows = ops.embedding(p.table, tensor(Int32Array.of(4, 0, 4, 1))); // [4,8]
  const sum = ops.add(ops.reshape(b, [8, 4, 8]), ops.mul(ops.mul(rows, p.scale), p.column)); // [8,4,8]
  const n = ops.layerNorm(sum, { gamma: p.layerGamma, beta: p.layerBeta });
  const logits = ops.linear(n, p.denseWeight, p.denseBias); // [8,4,3]
  return ops.softmaxCrossEntropy(logits, tensor(new Int32Array(32), [8, 4]));
}

const valuesOf = (p: Parameters): Record<string, number[]> =>
  Object.fromEntries(Object.entries(p).map(([name, { grad }]) => [name, grad ? [...grad.dataSync()] : []]));

const sum = (a: Record<string, number[]>, b: Record<string, number[]>): Record<string, number[]> =>
  Object.fromEntries(
    Object.entries(a).map(([name, list]) => [name, list.map((v, i) => Math.fround(v + (b[name]?.[i] ?? 0)))]),
  );

test('every kind of parameter has its gradient written to the arena by the op that computes it', () => {
  const plain = parameters();
  scope(() => backward(lossOf(plain)));
  const expected = valuesOf(plain);
  const bound = parameters();
  using optimizer = create(sgd({ lr: 0.1 }), Object.entries(bound));
  scope(() => {
    const loss = lossOf(bound);
    using ops = capture(backendOf('cpu'), () => backward(loss));
    const count = (name: string): number => ops.calls.filter(({ op }) => op === name).length;
    // The one fill is the 1 that backward starts from.
    assert.deepEqual([count('strided_copy'), count('fill')], [0, 1]);
  });
  for (const [i, { parameter }] of optimizer.arena.segments.entries())
    assert.equal(parameter.grad, optimizer.arena.slot(i));
  assert.deepEqual(valuesOf(bound), expected);
});

test('several backward calls and several uses of a parameter add up in the arena; zeroGrad begins anew', () => {
  const plain = parameters();
  scope(() => backward(lossOf(plain)));
  const once = valuesOf(plain);
  const bound = parameters();
  using optimizer = create(sgd({ lr: 0.1 }), Object.entries(bound));
  const backend = backendOf('cpu');
  for (const round of [1, 2]) {
    scope(() => {
      backward(lossOf(bound));
      backward(lossOf(bound));
    });
    assert.deepEqual(valuesOf(bound), sum(once, once), `round ${round}`);
    using idle = capture(backend, () => optimizer.zeroGrad());
    assert.deepEqual(idle.calls, []);
  }
  // y = (x w) w with one w: d/dw = x^T (dy w^T) + (x w)^T dy, also against memory of its own.
  const square = draw([3, 3], 7).requireGrad();
  const twin = draw([3, 3], 7).requireGrad();
  using second = create(sgd({ lr: 0.1 }), [['w', square]]);
  for (const w of [square, twin])
    scope(() => {
      const x = draw([2, 3], 8);
      const hidden = ops.matmul(x, w);
      backward(ops.sum(ops.add(ops.matmul(hidden, w), ops.sum(ops.matmul(w, w)))));
    });
  assert.equal(square.grad, second.arena.slot(0));
  assert.deepEqual(square.grad?.dataSync(), twin.grad?.dataSync());
});

test('the gradients of two leaves never share memory, with each other or with what backward was given', () => {
  const a = tensor([1, 2]).requireGrad();
  const b = tensor([3, 4]).requireGrad();
  const seed = tensor([1, 1]);
  for (const total of [1, 2]) {
    backward(ops.add(a, b), seed);
    assert.deepEqual([...(a.grad?.dataSync() ?? [])], [total, total]);
    assert.deepEqual([...(b.grad?.dataSync() ?? [])], [total, total]);
  }
  seed.write([50, 50]);
  a.grad?.write([7, 7]);
  assert.deepEqual([...(b.grad?.dataSync() ?? [])], [2, 2]);
});

test('a view of a gradient keeps its values when more is added', () => {
  const x = tensor([1, 2]).requireGrad();
  backward(ops.sum(ops.mul(x, 3)));
  const before = x.grad?.detach();
  backward(ops.sum(ops.mul(x, 4)));
  assert.deepEqual([...(before?.dataSync() ?? [])], [3, 3]);
  assert.deepEqual([...(x.grad?.dataSync() ?? [])], [7, 7]);
});

test('the 1 that backward starts from belongs to nobody', () => {
  const x = tensor(2).requireGrad();
  backward(ops.reshape(x, [1]));
  x.grad?.write([9]);
  const [g] = gradients(ops.reshape(x, [1]), [x]);
  assert.equal(g?.itemSync(), 1);
  g?.write([8]);
  const [once, twice] = gradients(ops.reshape(x, [1]), [x, x]);
  assert.deepEqual([once?.itemSync(), twice?.itemSync()], [1, 1]);
  backward(x);
  assert.equal(x.grad?.itemSync(), 10);
});

test('gradients of activations overwrite what arrives only where nobody else sees it', () => {
  const leaf = tensor([-1, 2]).requireGrad();
  const other = tensor([5, 6]).requireGrad();
  const seed = tensor([3, 4]);
  const hidden = ops.mul(leaf, 2);
  // The sum hands one gradient to both sides.
  const y = ops.add(ops.relu(hidden), ops.mul(other, 1));
  const live = liveTensors();
  for (let times = 1; times <= 2; times++) {
    backward(y, seed, { retainGraph: true });
    assert.deepEqual([...(leaf.grad?.dataSync() ?? [])], [0, 8 * times]);
    assert.deepEqual([...(other.grad?.dataSync() ?? [])], [3 * times, 4 * times]);
    assert.deepEqual([...seed.dataSync()], [3, 4]);
  }
  assert.equal(liveTensors(), live + 2);
});
