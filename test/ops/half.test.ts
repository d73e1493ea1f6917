// Tensors stored as f16: what they become in ops, gradients through every differentiable op, layers, captured steps.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import '../../src/ops/methods.js';
import { gradients } from '../../src/autograd/backward.js';
import { capture } from '../../src/capture/index.js';
import * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import * as optim from '../../src/optim/index.js';
import { scope } from '../../src/tensor/scope.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { compare, get, normal } from '../capture/comparing.js';
import { sameBits } from '../capture/setup.js';
import { mix, seedOf } from '../support/formula.js';
import { gradientCases } from '../support/gradient_cases.js';
import { draw } from '../support/nd.js';
import { functional, publicCalls } from '../support/public_calls.js';

const half = (values: number | number[] | number[][]): Tensor<'f16'> => tensor(values, undefined, { dtype: 'f16' });

test('values are rounded to the nearest f16 and read as f32', async () => {
  scope(() => {
    const x = half([1, 1 / 3, 65519, 65520, -70000, 2 ** -24, 2 ** -25, -0, Number.NaN]);
    assert.equal(x.byteLength, 18);
    const rounded = [1, 0.333251953125, 65504, Infinity, -Infinity, 2 ** -24, 0, -0, Number.NaN];
    assert.deepEqual([...x.dataSync()], rounded);
    assert.deepEqual([...x.cast('f32').dataSync()], rounded);
    assert.deepEqual([...x.cast('f32').cast('f16').dataSync()], rounded);
    assert.deepEqual([...half([2.75, -1.5, 300]).cast('i32').dataSync()], [2, -1, 300]);
    assert.deepEqual([...tensor(Int32Array.of(3, 70000)).cast('f16').dataSync()], [3, Infinity]);
    assert.deepEqual(
      [
        ...tensor(Uint8Array.of(0, 255), [2])
          .cast('f16', { scale: 1 / 255 })
          .dataSync(),
      ],
      [0, 1],
    );
  });
  using x = half([1, 2, 3]);
  assert.deepEqual(await x.data(), Float32Array.of(1, 2, 3));
  assert.equal(await half(0.1).item(), 0.0999755859375);
  x.write([4, 5, 0.1]);
  assert.deepEqual([...x.dataSync()], [4, 5, 0.0999755859375]);
  // A view at an odd element lies where no f32 could.
  assert.deepEqual([...ops.neg(x.view([2], 1)).dataSync()], [-5, -0.0999755859375]);
});

test('f16 stays f16 beside numbers and integers, and becomes f32 beside f32', () => {
  scope(() => {
    const [h, f, i] = [half([1, 2]), tensor([0.5, 4]), tensor(Int32Array.of(3, -1))];
    const dtypes: [Tensor, string][] = [
      [h.add(0.5), 'f16'],
      [h.add(h), 'f16'],
      [h.add(i), 'f16'],
      [h.add(f), 'f32'],
      [f.sub(h), 'f32'],
      [ops.where(i, h, 1.5), 'f16'],
      [ops.where(i, h, f), 'f32'],
      [ops.greater(h, f), 'i32'],
      [h.relu(), 'f16'],
      [h.exp(), 'f16'],
      [ops.pow(h, 3), 'f16'],
      [ops.clip(h, 0, 1), 'f16'],
      [h.softmax(), 'f16'],
      [h.sum(), 'f32'],
      [h.mean(), 'f32'],
      [h.max(), 'f16'],
      [h.argMax(0), 'i32'],
      [ops.concat([h, h]), 'f16'],
      [ops.concat([h, f]), 'f32'],
      [h.reshape([2, 1]).matmul(h.reshape([1, 2])), 'f16'],
      [h.reshape([2, 1]).matmul(f.reshape([1, 2])), 'f32'],
      [h.reshape([2, 1]).matmul(h.reshape([1, 2]), { dtype: 'f32' }), 'f32'],
      [ops.linear(h, f.reshape([2, 1])), 'f16'],
      [ops.linear(f, h.reshape([2, 1])), 'f32'],
      [ops.zerosLike(h), 'f16'],
      [ops.broadcastTo(h, [3, 2]), 'f16'],
      [ops.mse(h, f), 'f32'],
    ];
    dtypes.forEach(([result, dtype], at) => void assert.equal(result.dtype, dtype, `${at}: ${result}`));
    assert.deepEqual([...h.add(i).dataSync()], [4, 1]);
    assert.deepEqual([...h.mul(f).dataSync()], [0.5, 8]);
    // Sums are f32, whatever f16 holds.
    assert.equal(ops.full([4], 60000, { dtype: 'f16' }).sum().itemSync(), 240000);
    assert.equal(
      half([[256, 256]])
        .matmul(half([[256], [-255]]))
        .itemSync(),
      256,
    );
  });
});

test('where f32 is a must, f16 is refused', () => {
  scope(() => {
    const x = half([1, 2]);
    assert.throws(() => x.requireGrad(), { code: 'E_DTYPE' });
    assert.throws(() => tensor([1], [1], { dtype: 'f16', requiresGrad: true }), { code: 'E_DTYPE' });
    assert.throws(() => ops.gather(x, x), { code: 'E_DTYPE' });
  });
});

/** Gradients of a case: its leaves are f32, and rounded to f16 before the op; which stores its results so, or not. */
function gradientsOf(one: (typeof gradientCases)[number], stored: 'f16' | 'f32') {
  const label = `half ${one.op}`;
  const options = one.options ?? {};
  const leaves: Tensor[] = [];
  const inputs: Record<string, Tensor> = {};
  for (const [name, [shape, domain]] of Object.entries(one.inputs)) {
    const leaf = tensor(Float32Array.from(draw(`${label} ${name}`, shape, domain).data), shape);
    if (one.constants?.includes(name)) {
      inputs[name] = leaf;
      continue;
    }
    leaves.push(leaf.requireGrad());
    inputs[name] = leaf.cast('f16').cast(stored);
  }
  for (const [name, [shape, limit]] of Object.entries(one.integers ?? {})) {
    const seed = seedOf(`${label} ${name}`);
    const values = Int32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => mix(i, seed) % limit);
    inputs[name] = tensor(values, shape);
  }
  const call = publicCalls[one.op];
  assert.ok(call);
  const results = Object.fromEntries(Object.entries(call(inputs, options)).filter(([name]) => !(name in inputs)));
  const upstream = Object.fromEntries(
    Object.entries(results).map(([name, { shape }]) => [name, draw(`${label} d${name}`, shape)]),
  );
  const found = gradients(functional(results, upstream), leaves);
  return { values: Object.values(results), found };
}

// Of each op the first cases: what differs between cases is the kernels' business.
const perOp = new Map<string, number>();
const some = gradientCases.filter(({ op }) => {
  perOp.set(op, (perOp.get(op) ?? 0) + 1);
  return (perOp.get(op) ?? 0) <= 3;
});

some.forEach((one, number) => {
  test(`${one.op} #${number}: values and f32 gradients where its inputs are stored as f16`, () => {
    scope(() => {
      const [actual, expected] = [gradientsOf(one, 'f16'), gradientsOf(one, 'f32')];
      const close = (a: Tensor, e: Tensor, what: string): void => {
        const [x, y] = [[...a.dataSync()], [...e.dataSync()]];
        // A result is rounded by half a step, 2^-11; gradients take a few such results.
        const largest = y.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
        x.forEach((v, i) => {
          assert.ok(
            Math.abs(v - (y[i] ?? Number.NaN)) <= 2 ** -8 * largest,
            `${what}: ${v} where ${y[i]} was expected`,
          );
        });
      };
      actual.values.forEach((y, i) => void close(y, expected.values[i] as Tensor, 'value'));
      actual.found.forEach((g, i) => {
        assert.equal(g.dtype, 'f32');
        close(g, expected.found[i] as Tensor, 'gradient');
      });
    });
  });
});

test('a gradient through f16 is not rounded to it', () => {
  scope(() => {
    const x = tensor([1]).requireGrad();
    x.cast('f16').mul(2).cast('f32').mul(1e-9).sum().backward();
    assert.equal(x.grad?.itemSync(), Math.fround(2 * Math.fround(1e-9)));
  });
});

test('layers store what their input is stored as, and keep f32 parameters and gradients', () => {
  const model = nn.sequential([
    nn.conv2d({ filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' }),
    nn.batchNorm(),
    nn.depthwiseConv2d({ kernelSize: 3 }),
    nn.maxPool2d(2),
    nn.dropout(0.5),
    nn.globalAvgPool2d(),
    nn.layerNorm(),
    nn.dense({ units: 3, activation: 'gelu' }),
  ]);
  model.build([8, 8, 2], 1);
  scope(() => {
    const x = ops.normal([2, 8, 8, 2], { seed: 1 }).cast('f16');
    const logits = model.forward(x, { training: true, seed: 1, step: 0 });
    assert.equal(logits.dtype, 'f16');
    const loss = ops.softmaxCrossEntropy(logits, tensor(Int32Array.of(0, 2)));
    assert.equal(loss.dtype, 'f32');
    loss.backward();
    for (const [name, parameter] of model.namedParameters()) {
      assert.equal(parameter.dtype, 'f32');
      assert.equal(parameter.grad?.dtype, 'f32', name);
      assert.ok(
        parameter.grad?.dataSync().some((g) => g !== 0),
        name,
      );
    }
  });
  for (const parameter of model.namedParameters().values()) parameter.grad?.dispose();
  model.dispose();
});

test('captured, f16 has the bits it has op by op: what is rounded is not fused away', async () => {
  const chain = await compare(
    (inputs) => {
      const h = get(inputs, 'a').cast('f16');
      const t = h.mul(get(inputs, 'b')).add(1); // f32 inside: one chain
      const u = h.add(0.125).mul(3).relu(); // f16 on the way
      return [t, u, t.sub(u)];
    },
    normal({ a: [40, 30], b: [40, 30] }),
  );
  assert.ok(chain.includes('mul+add+sub') || chain.includes('mul+add'), chain.join(' '));
  assert.ok(!chain.some((op) => op.includes('add+mul+relu')), chain.join(' '));
  const product = await compare(
    (inputs) => {
      const h = get(inputs, 'a').cast('f16');
      return [ops.linear(h, get(inputs, 'w'), get(inputs, 'b')).relu()];
    },
    normal({ a: [12, 30], w: [30, 20], b: [20] }),
  );
  assert.ok(product.includes('sgemm') && product.includes('unary'), product.join(' '));
});

test('a captured training step on f16 has the bits of the step op by op', async () => {
  const make = () => {
    const model = nn.sequential([
      nn.conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
      nn.maxPool2d(2),
      nn.flatten(),
      nn.dense({ units: 16, activation: 'relu' }),
      nn.dense({ units: 4 }),
    ]);
    model.build([10, 10, 1], 3);
    const optimizer = optim.create(optim.sgd({ lr: 0.1, momentum: 0.9 }), model.namedParameters());
    const step = 0;
    const run = ({ x, y }: { x: Tensor; y: Tensor }): Tensor => {
      const loss = ops.softmaxCrossEntropy(model.forward(x.cast('f16'), { training: true, seed: 0, step: 0 }), y);
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step(0);
      return loss;
    };
    return { model, optimizer, run, step };
  };
  const [eager, replayed] = [make(), make()];
  {
    using captured = capture(replayed.run);
    for (let step = 0; step < 4; step++) {
      using x = ops.normal([6, 10, 10, 1], { seed: step });
      using y = tensor(Int32Array.from([0, 1, 2, 3, 0, 1]));
      using expected = scope(() => eager.run({ x, y }));
      using actual = captured({ x, y });
      sameBits((await actual.data()) as Float32Array, (await expected.data()) as Float32Array, `loss ${step}`);
    }
  }
  const [a, b] = [await eager.model.stateDict(), await replayed.model.stateDict()];
  for (const [name, { data }] of a) assert.deepEqual(b.get(name)?.data, data, name);
  for (const { model, optimizer } of [eager, replayed]) {
    optimizer.dispose();
    model.dispose();
  }
});
