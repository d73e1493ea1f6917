// Broadcasting of matrix products, what they refuse, and the cost formulas.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradients } from '../../src/autograd/backward.js';
import { conv2dCost } from '../../src/ops/conv2d/conv2d.cost.js';
import { conv2d } from '../../src/ops/conv2d/conv2d.js';
import { broadcastTo } from '../../src/ops/elementwise/binary.js';
import { sgemmCost } from '../../src/ops/sgemm/sgemm.cost.js';
import { linear, matmul } from '../../src/ops/sgemm/sgemm.js';
import { scope } from '../../src/tensor/scope.js';
import { type Shape, sizeOf } from '../../src/tensor/shape.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';

/** Small integers, so that every sum is exact. */
function integers(shape: Shape, seed: number): Tensor<'f32'> {
  const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 7 + seed * 3) % 11) - 5);
  return tensor(values, shape, { requiresGrad: true });
}

/** The product of every pair of matrices, both stretched to the same leading dimensions. */
function naive(a: Tensor, b: Tensor, lead: Shape): number[] {
  const [m = 0, k = 0] = a.shape.slice(-2);
  const n = b.shape.at(-1) ?? 0;
  const left = broadcastTo(a, [...lead, m, k]).dataSync();
  const right = broadcastTo(b, [...lead, k, n]).dataSync();
  const out: number[] = [];
  for (let item = 0; item < sizeOf(lead); item++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) sum += (left[(item * m + i) * k + l] ?? 0) * (right[(item * k + l) * n + j] ?? 0);
        out.push(sum);
      }
  return out;
}

const cases: [a: Shape, b: Shape, lead: Shape][] = [
  [[3, 4], [4, 5], []],
  [[2, 3, 4], [4, 5], [2]],
  [[3, 4], [2, 4, 5], [2]],
  [
    [2, 1, 3, 4],
    [5, 4, 2],
    [2, 5],
  ],
  [[1, 3, 4], [6, 4, 2], [6]],
  [
    [2, 5, 3, 4],
    [2, 1, 4, 2],
    [2, 5],
  ],
  [[0, 3, 4], [4, 2], [0]],
  [[3, 0], [0, 2], []],
];

for (const [shapeA, shapeB, lead] of cases) {
  test(`matmul: [${shapeA}] x [${shapeB}]`, () =>
    scope(() => {
      const a = integers(shapeA, 1);
      const b = integers(shapeB, 2);
      const y = matmul(a, b);
      assert.deepEqual([...y.shape], [...lead, shapeA.at(-2), shapeB.at(-1)]);
      assert.deepEqual([...y.dataSync()], naive(a, b, lead));
      // The gradients of stretched operands are those of their copies, summed.
      const seed = integers(y.shape, 3).detach();
      const [da, db] = gradients(y, [a, b], seed);
      const wide = (x: Tensor) => broadcastTo(x, [...lead, ...x.shape.slice(-2)]);
      const [ea, eb] = gradients(matmul(wide(a), wide(b)), [a, b], seed);
      assert.deepEqual(da?.dataSync(), ea?.dataSync());
      assert.deepEqual(db?.dataSync(), eb?.dataSync());
    }));
}

test('what does not fit is refused with the shapes', () =>
  scope(() => {
    const at = (...shape: number[]) => integers(shape, 1);
    assert.throws(() => matmul(at(32, 128), at(64, 10)), {
      code: 'E_SHAPE',
      message: /expected K of b to be 128, received 64 \(a \[32,128\], b \[64,10\]\)/,
    });
    assert.throws(() => matmul(at(3), at(3, 2)), { code: 'E_SHAPE' });
    assert.throws(() => matmul(at(2, 3, 4), at(3, 4, 5)), { code: 'E_SHAPE' });
    assert.throws(() => matmul(at(3, 4), at(4, 5), { bias: at(4) }), { code: 'E_SHAPE' });
    assert.throws(() => linear(at(3, 4), at(5, 2)), { code: 'E_SHAPE' });
    assert.throws(() => matmul(at(3, 4), tensor(Int32Array.of(1, 2, 3, 4), [4, 1])), { code: 'E_DTYPE' });
    assert.throws(() => conv2d(at(1, 5, 5, 3), at(3, 3, 2, 4)), { code: 'E_SHAPE' });
    assert.throws(() => conv2d(at(1, 5, 5, 4), at(3, 3, 2, 3), { groups: 2 }), { code: 'E_SHAPE' });
    assert.throws(() => conv2d(at(1, 2, 2, 1), at(3, 3, 1, 1)), { code: 'E_SHAPE' });
  }));

test('one channel in a group is a depthwise convolution', () =>
  scope(() => {
    const x = integers([1, 4, 4, 2], 1);
    const w = integers([3, 3, 1, 4], 2);
    const y = conv2d(x, w, { groups: 2, padding: 'same' });
    const [dw] = gradients(y, [w], integers(y.shape, 3).detach());
    assert.deepEqual([...y.shape], [1, 4, 4, 4]);
    assert.deepEqual([...(dw?.shape ?? [])], [3, 3, 1, 4]);
  }));

test('costs', () => {
  assert.deepEqual(sgemmCost({ batch: 1, m: 2, n: 3, k: 4 }), { flops: 48, bytes: 4 * (8 + 12 + 6) });
  assert.deepEqual(sgemmCost({ batch: 5, m: 2, n: 3, k: 4, strideB: 0, accumulate: 1 }), {
    flops: 240,
    bytes: 4 * (40 + 12 + 60),
  });
  const geometry = { n: 2, h: 5, w: 6, c: 4, oh: 3, ow: 4, oc: 8, kh: 3, kw: 3, groups: 2 };
  assert.deepEqual(conv2dCost(geometry), {
    flops: 2 * (2 * 3 * 4 * 8) * (3 * 3 * 2),
    bytes: 4 * (2 * 5 * 6 * 4 + 3 * 3 * 2 * 8 + 2 * 3 * 4 * 8),
  });
});
