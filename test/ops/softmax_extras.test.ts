// What the PyTorch fixtures leave out of softmax, cross-entropy and gather: probabilities as targets, ignored rows,
// extremes, logSumExp, oneHot, tile. Values are of order 1 and sums have a few terms: 1e-6 is some ten roundings.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradients } from '../../src/autograd/backward.js';
import { add, mul, sub } from '../../src/ops/elementwise/elementwise.js';
import { embedding, gather, oneHot } from '../../src/ops/gather/gather.js';
import { sum } from '../../src/ops/reduce/reduce.js';
import { logSoftmax, logSumExp, softmax } from '../../src/ops/softmax/softmax.js';
import {
  type CrossEntropyOptions,
  softmaxCrossEntropy,
} from '../../src/ops/softmax_cross_entropy/softmax_cross_entropy.js';
import { tile } from '../../src/ops/strided_copy/strided_copy.js';
import { scope } from '../../src/tensor/scope.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import { formula } from '../support/formula.js';

function near(actual: Tensor, expected: ArrayLike<number>, tolerance = 1e-6): void {
  const values = actual.dataSync();
  assert.equal(values.length, expected.length);
  values.forEach((a, i) => {
    const e = expected[i] ?? Number.NaN;
    const same = Object.is(a, e) || (Number.isFinite(e) && Math.abs(a - e) <= tolerance);
    assert.ok(same, `[${i}]: expected ${e}, received ${a}`);
  });
}

const labels = [3, 0, 4, 4, 1, 2];
const logits = (requiresGrad: boolean): Tensor => tensor(formula(30, 1, 3), [6, 5], { requiresGrad });
const classes = (): Tensor => tensor(Int32Array.from(labels));

/** The loss, its gradient and its Hessian times a fixed direction. */
function derivatives(target: Tensor, options: CrossEntropyOptions): Tensor[] {
  const x = logits(true);
  const weights = tensor(formula(6, 2));
  const losses = softmaxCrossEntropy(x, target, options);
  const loss = options.reduction === 'none' ? sum(mul(losses, weights)) : losses;
  const [first] = gradients(loss, [x], undefined, { createGraph: true });
  assert.ok(first);
  const [second] = gradients(sum(mul(first, tensor(formula(30, 3), [6, 5]))), [x]);
  assert.ok(second);
  return [losses, first, second];
}

for (const reduction of ['none', 'sum'] as const)
  for (const labelSmoothing of [0, 0.2])
    for (const weighted of [false, true])
      test(`one-hot probabilities are class indices: ${reduction}, smoothing ${labelSmoothing}, weights ${weighted}`, () =>
        scope(() => {
          const classWeights = weighted ? { classWeights: tensor([0.5, 1, 2, 0.25, 1.5]) } : {};
          const options = { reduction, labelSmoothing, ...classWeights };
          const byIndex = derivatives(classes(), options);
          const byProbability = derivatives(oneHot(classes(), 5), options);
          byIndex.forEach((value, i) => {
            near(byProbability[i]!, value.dataSync(), 5e-6);
          });
        }));

for (const dense of [false, true])
  for (const ignoreIndex of dense ? [-100] : [-100, 4])
    test(`the mean is the sum over its divisor, in every derivative: dense ${dense}, ignored ${ignoreIndex}`, () =>
      scope(() => {
        const weights = [0.5, 1, 2, 0.25, 1.5];
        const options = { labelSmoothing: 0.1, classWeights: tensor(weights), ignoreIndex };
        const target = dense ? oneHot(classes(), 5) : classes();
        const counted = labels.filter((label) => label !== ignoreIndex);
        const divisor = dense ? 6 : counted.reduce((total, label) => total + (weights[label] ?? 0), 0);
        const bySum = derivatives(target, { ...options, reduction: 'sum' });
        const byMean = derivatives(target, { ...options, reduction: 'mean' });
        bySum.forEach((value, i) => {
          near(
            byMean[i]!,
            [...value.dataSync()].map((v) => v / divisor),
            5e-6,
          );
        });
      }));

test('the mean over no row that counts is NaN, its gradient 0', () =>
  scope(() => {
    const x = logits(true);
    const loss = softmaxCrossEntropy(x, tensor(new Int32Array(6).fill(-100)));
    assert.ok(Number.isNaN(loss.itemSync()));
    near(gradients(loss, [x])[0]!, new Float32Array(30));
  }));

test('the mean over probabilities counts rows, over indices weights', () =>
  scope(() => {
    const classWeights = tensor([0.5, 1, 2, 0.25, 1.5]);
    const total = softmaxCrossEntropy(logits(false), classes(), { classWeights, reduction: 'sum' }).itemSync();
    const weights = 0.25 + 0.5 + 1.5 + 1.5 + 1 + 2;
    near(softmaxCrossEntropy(logits(false), classes(), { classWeights }), [total / weights]);
    near(softmaxCrossEntropy(logits(false), oneHot(classes(), 5), { classWeights }), [total / 6]);
  }));

test('the gradient of probabilities is minus the weighted log-softmax', () =>
  scope(() => {
    const classWeights = tensor([0.5, 1, 2, 0.25, 1.5]);
    const target = tensor(formula(30, 5), [6, 5], { requiresGrad: true });
    const loss = softmaxCrossEntropy(logits(false), target, { classWeights, labelSmoothing: 0.2, reduction: 'sum' });
    const logP = logSoftmax(logits(false)).dataSync();
    const w = classWeights.dataSync();
    near(
      gradients(loss, [target])[0]!,
      logP.map((value, i) => -0.8 * (w[i % 5] ?? 0) * value),
      3e-6,
    );
  }));

test('ignored rows count neither in the mean nor in the gradients', () =>
  scope(() => {
    const x = logits(true);
    const target = tensor(Int32Array.from([3, -1, 4, -1, 1, 2]));
    const options = { ignoreIndex: -1, labelSmoothing: 0.1 };
    const loss = softmaxCrossEntropy(x, target, options);
    const picked = gather(x, tensor(Int32Array.from([0, 2, 4, 5])));
    const alone = softmaxCrossEntropy(picked, tensor(Int32Array.from([3, 4, 1, 2])), { labelSmoothing: 0.1 });
    near(loss, alone.dataSync());
    near(gradients(loss, [x])[0]!, gradients(alone, [x])[0]!.dataSync());
    near(softmaxCrossEntropy(x, target, { ...options, reduction: 'none' }), [
      ...[0, 1, 2, 3, 4, 5].map((row) =>
        [1, 3].includes(row)
          ? 0
          : softmaxCrossEntropy(
              gather(x, tensor(Int32Array.from([row]))),
              gather(target, tensor(Int32Array.from([row]))),
              options,
            ).itemSync(),
      ),
    ]);
  }));

test('leading dimensions of logits and target agree', () =>
  scope(() => {
    const x = tensor(formula(24, 7), [2, 3, 4]);
    const target = tensor(Int32Array.from([0, 1, 2, 3, 0, 1]), [2, 3]);
    const losses = softmaxCrossEntropy(x, target, { reduction: 'none' });
    assert.deepEqual([...losses.shape], [2, 3]);
    const expected = [0, 1, 2, 3, 0, 1].map((t, row) => -(logSoftmax(x).dataSync()[row * 4 + t] ?? 0));
    near(losses, expected);
    assert.throws(() => softmaxCrossEntropy(x, tensor(new Int32Array(6))), { code: 'E_SHAPE' });
  }));

test('a target outside of the classes is an error once the loss is read', () =>
  scope(() => {
    const bad = softmaxCrossEntropy(logits(false), tensor(Int32Array.from([0, 1, 2, 3, 4, 5])));
    assert.throws(() => bad.dataSync(), { code: 'E_RANGE' });
    assert.throws(() => embedding(tensor(formula(6, 1), [3, 2]), tensor(Int32Array.from([3]))).dataSync(), {
      code: 'E_RANGE',
    });
  }));

test('extremes: large logits keep their differences, NaN and infinities come through', () =>
  scope(() => {
    const rows = tensor(
      [1000, 999, -1000, Number.NaN, 0, 0, -Infinity, 0, 0, -Infinity, -Infinity, -Infinity, Infinity, 0, 0],
      [5, 3],
    );
    const [a, b] = [1 / (1 + Math.exp(-1)), 1 / (1 + Math.E)];
    const nan = Number.NaN;
    near(softmax(rows), [a, b, 0, nan, nan, nan, 0, 0.5, 0.5, nan, nan, nan, nan, nan, nan]);
    near(logSumExp(rows, -1), [1000 + Math.log1p(Math.exp(-1)), nan, Math.LN2, -Infinity, Infinity], 1e-4);
  }));

test('logSumExp: its gradient is the softmax, the second derivative that of softmax', () =>
  scope(() => {
    const x = logits(true);
    const [first] = gradients(sum(logSumExp(x, 1)), [x], undefined, { createGraph: true });
    near(first!, softmax(x).dataSync());
    const v = tensor(formula(30, 9), [6, 5]);
    const [second] = gradients(sum(mul(first!, v)), [x]);
    const p = softmax(x);
    near(second!, mul(p, sub(v, sum(mul(p, v), 1, { keepDims: true }))).dataSync(), 2e-6);
    near(logSumExp(x), [Math.log([...x.dataSync()].reduce((total, value) => total + Math.exp(value), 0))], 2e-6);
  }));

test('oneHot: one at the index, nothing for an index outside', () =>
  scope(() => {
    const y = oneHot(tensor(Int32Array.from([2, 0, -1, 3]), [2, 2]), 3);
    assert.deepEqual([...y.shape], [2, 2, 3]);
    assert.deepEqual([...y.dataSync()], [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  }));

test('gather moves rows of every dtype, and its gradient adds up repeated ones', () =>
  scope(() => {
    const rows = tensor(Int32Array.from([2, 0, 2]));
    assert.deepEqual(
      [...gather(tensor(Uint8Array.from([1, 2, 3, 4, 5, 6]), [3, 2]), rows).dataSync()],
      [5, 6, 1, 2, 5, 6],
    );
    const x = tensor(formula(6, 4), [3, 2], { requiresGrad: true });
    const loss = sum(mul(gather(x, rows), tensor([1, 2, 3, 4, 5, 6], [3, 2])));
    assert.deepEqual([...gradients(loss, [x])[0]!.dataSync()], [3, 4, 0, 0, 6, 8]);
  }));

test('tile repeats along each axis, and its gradient adds the copies up', () =>
  scope(() => {
    const x = tensor([1, 2, 3, 4], [2, 2], { requiresGrad: true });
    const y = tile(x, [1, 3]);
    assert.deepEqual([...y.shape], [2, 6]);
    assert.deepEqual([...y.dataSync()], [1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4]);
    assert.deepEqual([...tile(x, [2, 1]).dataSync()], [1, 2, 3, 4, 1, 2, 3, 4]);
    const loss = sum(mul(tile(x, [2, 2]), add(tile(x, [2, 2]), 0)));
    assert.deepEqual([...gradients(loss, [x])[0]!.dataSync()], [8, 16, 24, 32]);
    assert.throws(() => tile(x, [2]), { code: 'E_ARGUMENT' });
  }));
