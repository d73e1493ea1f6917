// Each pass: what it makes of its pattern, what it leaves alone, and that results keep their bits.
import assert from 'node:assert/strict';
import * as autograd from '../../src/autograd/index.js';
import * as ops from '../../src/ops/index.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import { compare, get, type Inputs, normal } from './comparing.js';
import { balanced } from './setup.js';

const activations = { relu: ops.relu, sigmoid: ops.sigmoid, tanh: ops.tanh };

for (const [name, activation] of Object.entries(activations)) {
  balanced(`${name} after a product, with a bias or without, goes into its epilogue`, async () => {
    // K beyond one block of it, so that the sum is not done when a block is.
    const shapes = { a: [5, 1100], w: [1100, 37], bias: [37] };
    const whole = (inputs: Inputs): Tensor[] => [
      activation(ops.add(ops.matmul(get(inputs, 'a'), get(inputs, 'w')), get(inputs, 'bias'))),
    ];
    assert.deepEqual(await compare(whole, normal(shapes)), ['sgemm+binary+unary']);
    const withoutBias = (inputs: Inputs): Tensor[] => [activation(ops.matmul(get(inputs, 'a'), get(inputs, 'w')))];
    assert.deepEqual(await compare(withoutBias, normal(shapes)), ['sgemm+unary']);
    const given = (inputs: Inputs): Tensor[] => [
      activation(ops.linear(get(inputs, 'a'), get(inputs, 'w'), get(inputs, 'bias'))),
    ];
    assert.deepEqual(await compare(given, normal(shapes)), ['sgemm+unary']);
  });

  balanced(`${name} after a convolution goes into its epilogue`, async () => {
    const shapes = { x: [2, 9, 9, 3], w: [3, 3, 3, 5], bias: [5], d: [3, 3, 3, 2], depthBias: [6] };
    const dense = (inputs: Inputs): Tensor[] => [
      activation(ops.add(ops.conv2d(get(inputs, 'x'), get(inputs, 'w')), get(inputs, 'bias'))),
    ];
    assert.deepEqual(await compare(dense, normal(shapes)), ['conv2d+binary+unary']);
    const depthwise = (inputs: Inputs): Tensor[] => [
      activation(ops.depthwiseConv2d(get(inputs, 'x'), get(inputs, 'd'), { bias: get(inputs, 'depthBias') })),
    ];
    assert.deepEqual(await compare(depthwise, normal(shapes)), ['depthwise_conv2d+unary']);
  });
}

balanced('an epilogue takes nothing that somebody else needs', async () => {
  const shapes = { a: [4, 6], w: [6, 8], bias: [8], row: [1, 8], column: [4, 1] };
  const sum = (inputs: Inputs): Tensor => ops.matmul(get(inputs, 'a'), get(inputs, 'w'));
  const cases: [(inputs: Inputs) => Tensor[], string[]][] = [
    // The value before the activation is a result, or is read again.
    [
      (inputs) => {
        const t = sum(inputs);
        return [t, ops.relu(t)];
      },
      ['sgemm', 'unary'],
    ],
    [
      (inputs) => {
        const t = sum(inputs);
        return [ops.mul(ops.relu(t), t)];
      },
      ['sgemm', 'relu+mul'],
    ],
    // Not a bias: a number for each row.
    [(inputs) => [ops.relu(ops.add(sum(inputs), get(inputs, 'column')))], ['sgemm', 'binary', 'unary']],
    // No epilogue knows this one.
    [(inputs) => [ops.gelu(sum(inputs))], ['sgemm', 'unary']],
    // One activation is all there is room for.
    [(inputs) => [ops.tanh(ops.relu(sum(inputs)))], ['sgemm+unary', 'unary']],
    [(inputs) => [ops.add(ops.relu(sum(inputs)), get(inputs, 'bias'))], ['sgemm+unary', 'binary']],
  ];
  for (const [fn, expected] of cases) assert.deepEqual(await compare(fn, normal(shapes)), expected);
});

/** The gradient of a conv net's pooled ReLU layer, with windows of `size` at steps of `stride`. */
const pooled =
  (size: number, stride: number, again = false) =>
  (inputs: Inputs): Tensor[] => {
    const gradients = autograd.grad((x, w) => {
      const y = ops.relu(ops.conv2d(x, w, { padding: 'same' }));
      const p = ops.maxPool2d(y, size, { stride });
      const loss = ops.sum(ops.mul(p, p));
      return again ? ops.add(loss, ops.sum(ops.mul(y, y))) : loss;
    });
    return gradients(get(inputs, 'x'), get(inputs, 'w'));
  };

for (const [size, stride] of [
  [2, 2],
  [3, 2],
  [3, 1],
  [2, 3],
] as const) {
  balanced(`the mask of a ReLU is taken where the pool's gradient is small: ${size} at ${stride}`, async () => {
    const found = await compare(pooled(size, stride), normal({ x: [2, 11, 10, 3], w: [3, 3, 3, 4] }));
    const at = found.indexOf('max_pool2d_backward+binary');
    assert.ok(at > 0, found.join(' '));
    assert.match(found[at - 1] ?? '', /\+relu_grad$/);
    assert.ok(found.includes('conv2d+unary'));
  });
}

balanced('a gradient that comes from elsewhere too is cut after the sum', async () => {
  const found = await compare(pooled(2, 2, true), normal({ x: [2, 8, 8, 3], w: [3, 3, 3, 4] }));
  assert.ok(found.includes('max_pool2d_backward'), found.join(' '));
});
