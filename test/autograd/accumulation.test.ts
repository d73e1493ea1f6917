// Several backward passes before one update: gradients are added to their place by the op that computes them.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as autograd from '../../src/autograd/index.js';
import { backendOf } from '../../src/backend/device.js';
import { capture as callsOf } from '../../src/bench/capture.js';
import { capture } from '../../src/capture/index.js';
import { cpuInfo, setThreads } from '../../src/device.js';
import * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import { create, sgd } from '../../src/optim/index.js';
import { scope } from '../../src/tensor/scope.js';
import type { Tensor } from '../../src/tensor/tensor.js';

const { threads } = cpuInfo();
after(() => setThreads(threads));

const draw = (shape: readonly number[], seed: number): Tensor<'f32'> => ops.normal(shape, { seed });

interface Layer {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly batches: number;
}

/** Gradients of the sum of (x w + bias) c over some batches, one backward each; `bound`: in an optimizer's arena. */
function gradientsOf({ rows, inputs, outputs, batches }: Layer, bound: boolean): Record<'w' | 'bias', Float32Array> {
  const w = draw([inputs, outputs], 1).requireGrad();
  const bias = draw([outputs], 2).requireGrad();
  const optimizer = bound ? create(sgd({ lr: 0.1 }), Object.entries({ w, bias })) : null;
  for (let batch = 0; batch < batches; batch++)
    scope(() => {
      const y = ops.linear(draw([rows, inputs], 10 + batch), w, bias);
      autograd.backward(ops.sum(ops.mul(y, draw([rows, outputs], 50 + batch))));
    });
  if (optimizer) assert.equal(w.grad, w.gradSlot);
  const values = { w: w.grad?.dataSync() as Float32Array, bias: bias.grad?.dataSync() as Float32Array };
  optimizer?.dispose();
  for (const leaf of [w, bias]) {
    leaf.grad?.dispose();
    leaf.dispose();
  }
  return values;
}

/** The same in double, and the sums of the magnitudes. */
function reference({ rows, inputs, outputs, batches }: Layer) {
  const w = { sum: new Float64Array(inputs * outputs), size: new Float64Array(inputs * outputs) };
  const bias = { sum: new Float64Array(outputs), size: new Float64Array(outputs) };
  const add = ({ sum, size }: typeof w, at: number, value: number): void => {
    sum[at] = (sum[at] ?? 0) + value;
    size[at] = (size[at] ?? 0) + Math.abs(value);
  };
  for (let batch = 0; batch < batches; batch++) {
    const [x, c] = scope(() => [
      draw([rows, inputs], 10 + batch).dataSync(),
      draw([rows, outputs], 50 + batch).dataSync(),
    ]);
    for (let r = 0; r < rows; r++)
      for (let o = 0; o < outputs; o++) {
        const dy = c?.[r * outputs + o] ?? 0;
        add(bias, o, dy);
        for (let i = 0; i < inputs; i++) add(w, i * outputs + o, (x?.[r * inputs + i] ?? 0) * dy);
      }
  }
  return { w, bias };
}

// Few and many rows (beyond what the product sums in registers), one output, one row, odd sizes.
const layers: readonly Layer[] = [
  { rows: 32, inputs: 19, outputs: 10, batches: 4 },
  { rows: 1100, inputs: 21, outputs: 33, batches: 3 },
  { rows: 7, inputs: 5, outputs: 1, batches: 9 },
  { rows: 1, inputs: 70, outputs: 130, batches: 5 },
  { rows: 64, inputs: 1, outputs: 37, batches: 2 },
];

for (const layer of layers) {
  const name = Object.values(layer).join(' ');
  test(`gradients of batches add up: against double, and against sums of tensors of their own: ${name}`, () => {
    const added = gradientsOf(layer, true);
    const separate = gradientsOf(layer, false);
    const exact = reference(layer);
    for (const key of ['w', 'bias'] as const) {
      // As the matrix product's: 4 (sqrt(terms) + 4) 2^-24 of the terms' magnitudes.
      const c = 4 * (Math.sqrt(layer.rows * layer.batches) + 4) * 2 ** -24;
      added[key].forEach((value, i) => {
        const bound = c * (exact[key].size[i] ?? 0);
        const difference = Math.abs(value - (exact[key].sum[i] ?? Number.NaN));
        assert.ok(difference <= bound, `${key}[${i}]: off by ${difference}, bound ${bound}`);
        const other = Math.abs(value - (separate[key][i] ?? Number.NaN));
        assert.ok(other <= 2 * bound, `${key}[${i}]: off by ${other} from a sum of tensors, bound ${2 * bound}`);
      });
    }
  });

  test(`and have the same bits on any number of threads: ${name}`, () => {
    setThreads(1);
    const one = gradientsOf(layer, true);
    for (const count of [2, 3]) {
      setThreads(count);
      assert.deepEqual(gradientsOf(layer, true), one);
    }
    setThreads(threads);
  });
}

const mlp = (): nn.Sequential =>
  nn.sequential([
    nn.dense({ units: 24, activation: 'relu' }),
    nn.dense({ units: 12, activation: 'tanh' }),
    nn.dense({ units: 5 }),
  ]);

/** A step of `count` batches and one update. */
function accumulating(count: number) {
  const model = mlp();
  model.build([9], 1);
  const optimizer = create(sgd({ lr: 0.1, momentum: 0.9 }), model.namedParameters());
  return {
    model,
    step(inputs: Readonly<Record<string, Tensor>>): { loss: Tensor } {
      optimizer.zeroGrad();
      let total: Tensor | null = null;
      for (let i = 0; i < count; i++) {
        const loss = ops.softmaxCrossEntropy(
          model.forward(inputs[`x${i}`] as Tensor, { training: true, seed: 0, step: 0 }),
          inputs.y as Tensor,
        );
        autograd.backward(loss);
        total = total ? ops.add(total, loss.detach()) : loss.detach();
      }
      optimizer.step();
      return { loss: total as Tensor };
    },
    [Symbol.dispose]() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

function batches(count: number, seed: number): Record<string, Tensor> {
  const x = Array.from({ length: count }, (_, i) => [`x${i}`, draw([16, 9], 100 * seed + i)] as const);
  const labels = ops.cast(ops.floor(ops.uniform([16], { seed, low: 0, high: 5 })), 'i32');
  return { ...Object.fromEntries(x), y: labels };
}

test('a captured step of several batches adds no gradient by an op of its own, and has the bits of the eager one', () => {
  using eager = accumulating(3);
  using replayed = accumulating(3);
  using step = capture((inputs: Readonly<Record<string, Tensor>>) => replayed.step(inputs));
  for (const seed of [1, 2, 3])
    scope(() => {
      const inputs = batches(3, seed);
      assert.deepEqual(step(inputs).loss.dataSync(), eager.step(inputs).loss.dataSync());
    });
  for (const [i, [name, parameter]] of [...replayed.model.namedParameters()].entries())
    assert.deepEqual(parameter.dataSync(), [...eager.model.namedParameters()][i]?.[1].dataSync(), name);
  const writers = new Map<string, number>();
  for (const [, op = ''] of step.explain().matchAll(/^ *\d+ +(\w+) .* fixed/gm))
    writers.set(op, (writers.get(op) ?? 0) + 1);
  assert.deepEqual(Object.fromEntries(writers), { sgemm: 9, reduce: 9, sgd_momentum_ema: 1 }, step.explain());
});

// Windows in place; a product by pixels and one by windows (which side is wider decides), with parts and without; groups.
const convolutions = [
  { image: [2, 9, 8, 3], weight: [3, 3, 3, 20] },
  { image: [2, 7, 7, 16], weight: [1, 1, 16, 40] },
  { image: [3, 40, 37, 18], weight: [1, 1, 18, 33] },
  { image: [2, 12, 12, 64], weight: [3, 3, 64, 8] },
  { image: [2, 8, 8, 6], weight: [3, 3, 3, 10], groups: 2 },
];

for (const { image, weight, groups = 1 } of convolutions)
  test(`gradients of a convolution are added in place, to the bits of additions afterwards: ${image} by ${weight}`, () => {
    const outputs = weight.at(-1) ?? 0;
    const gradients = (bound: boolean, withBias: boolean): (Float32Array | undefined)[] => {
      const w = draw(weight, 1).requireGrad();
      const bias = draw([outputs], 2);
      if (withBias) bias.requireGrad();
      const leaves = withBias ? [w, bias] : [w];
      using optimizer = bound
        ? create(
            sgd({ lr: 0.1 }),
            leaves.map((leaf, i) => [`${i}`, leaf]),
          )
        : null;
      for (let batch = 0; batch < 3; batch++)
        scope(() => {
          const y = ops.conv2d(draw(image, 10 + batch), w, { bias, groups, padding: 'same' });
          const loss = ops.sum(ops.mul(y, draw(y.shape, 50 + batch)));
          using ran = callsOf(backendOf('cpu'), () => autograd.backward(loss));
          // The kernel that computes the gradient is the one op that writes as much.
          if (optimizer) assert.equal(ran.calls.filter(({ outputs: [out] }) => out?.bytes === 4 * w.size).length, 1);
        });
      const values = leaves.map((leaf) => leaf.grad?.dataSync() as Float32Array);
      for (const leaf of [w, bias]) leaf.dispose();
      return values;
    };
    for (const withBias of [true, false]) {
      const expected = gradients(false, withBias);
      for (const count of [1, 2, 3]) {
        setThreads(count);
        assert.deepEqual(gradients(true, withBias), expected);
      }
      setThreads(threads);
    }
  });

test('a parameter that is used several times in one graph has its gradients added up in place', () => {
  const square = draw([6, 6], 7).requireGrad();
  const twin = draw([6, 6], 7).requireGrad();
  using optimizer = create(sgd({ lr: 0.1 }), [['w', square]]);
  const lossOf = (w: Tensor): Tensor => {
    let h: Tensor = draw([4, 6], 8);
    for (let i = 0; i < 5; i++) h = ops.matmul(i % 2 === 0 ? h : ops.matmul(h, w, { transposeB: true }), w);
    return ops.sum(h);
  };
  scope(() => autograd.backward(lossOf(twin)));
  scope(() => {
    const loss = lossOf(square);
    using ran = callsOf(backendOf('cpu'), () => autograd.backward(loss));
    assert.deepEqual(
      ran.calls.filter(({ op, outputs }) => op === 'binary' && outputs[0]?.bytes === 4 * square.size),
      [],
    );
  });
  assert.equal(square.grad, optimizer.arena.slot(0));
  assert.deepEqual(square.grad?.dataSync(), twin.grad?.dataSync());
});

test('a gradient that was put there by hand is added to, and one elsewhere left as it is', () => {
  const w = draw([3, 2], 1).requireGrad();
  using optimizer = create(sgd({ lr: 0.1 }), [['w', w]]);
  const pass = (): void => scope(() => autograd.backward(ops.sum(ops.matmul(ops.ones([4, 3]), w))));
  w.gradSlot?.write(new Float32Array(6).fill(10));
  w.grad = w.gradSlot;
  pass();
  assert.deepEqual([...(w.grad?.dataSync() ?? [])], Array(6).fill(14));
  optimizer.zeroGrad();
  pass();
  assert.deepEqual([...(w.grad?.dataSync() ?? [])], Array(6).fill(4));
});
