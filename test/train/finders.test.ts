// The finders of a learning rate and a batch size, and what a loss may be weighted with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dataset } from '../../src/data/index.js';
import * as nn from '../../src/nn/index.js';
import { softmaxCrossEntropy } from '../../src/ops/index.js';
import { sgd } from '../../src/optim/index.js';
import { scope } from '../../src/tensor/scope.js';
import { tensor } from '../../src/tensor/tensor.js';
import * as train from '../../src/train/index.js';
import { suggestions } from '../../src/train/learning_rate_finder.js';
import { mlp } from '../support/blobs.js';
import { refuses, rejects } from '../support/refuses.js';
import { balanced, collect, data, ofType, trainSet, validation } from './setup.js';

balanced('a learning rate is found, and the weights are as they were', async () => {
  using model = mlp();
  model.build([2], 5);
  const before = await model.stateDict();
  const found = await train.findLearningRate(model, { data, optimizer: (lr) => sgd({ lr }), steps: 60, to: 1e4 });
  assert.deepEqual(await model.stateDict(), before);
  const { points, steepest, minimum } = found;
  assert.ok(points.length > 20 && points.length < 60, `${points.length}: stops when the loss has grown`);
  assert.ok(Math.abs((points[0]?.lr ?? 0) - 1e-6) < 1e-18);
  const factor = 1e10 ** (1 / 59);
  points.slice(1).forEach(({ lr }, i) => {
    assert.ok(Math.abs(lr / (points[i]?.lr ?? 0) - factor) < 1e-9);
  });
  assert.ok(steepest > 1e-3 && steepest < 10, `${steepest}`);
  assert.ok(minimum > 1e-3 && minimum < 10, `${minimum}`);
  const picture = found.svg();
  assert.match(picture, />steepest \d/);
  assert.match(picture, />minimum \/ 10: \d/);
  assert.equal(picture.match(/class="curve c[01]"/g)?.length, 4, 'two lines, and their legend');
  // It is a rate that trains.
  await using run = train.fit(model, { data, validation, epochs: 5, optimizer: sgd({ lr: steepest }) });
  const { history } = await run.result;
  assert.ok((history.at(-1)?.metrics.val_accuracy ?? 0) > 0.9);
});

balanced('a model that is not built is built from the data, and keeps its first weights', async () => {
  using model = mlp();
  await train.findLearningRate(model, { data, optimizer: (lr) => sgd({ lr }), steps: 5, seed: 3 });
  using other = mlp();
  other.build([2], 3);
  assert.deepEqual(await model.stateDict(), await other.stateDict());
  await rejects(
    train.findLearningRate(model, { data, optimizer: (lr) => sgd({ lr }), from: 1, to: 0.1 }),
    'E_ARGUMENT',
  );
});

test('what a sweep suggests, on a curve drawn by hand', () => {
  const points = [3, 3, 2.8, 2, 1.9, 1.8, 2.5].map((smoothed, i) => ({ lr: 10 ** (i - 4), loss: smoothed, smoothed }));
  assert.deepEqual(suggestions(points), { steepest: 0.01, minimum: 1 });
  assert.ok(Number.isNaN(suggestions([]).steepest));
});

balanced('a batch size is found', async () => {
  using model = mlp();
  const tried: number[] = [];
  const found = await train.findBatchSize(model, {
    data: (size) => {
      tried.push(size);
      return trainSet.batch(size, { dropLast: true });
    },
    optimizer: sgd({ lr: 0.1 }),
    from: 24,
    steps: 2,
  });
  assert.ok(tried.length >= 3 && tried.every((size, i) => i < 2 || size === 24 * 2 ** (i - 1)), tried.join());
  assert.ok(
    found.tried.every(({ fits, samplesPerSecond, peakBytes }) => fits && samplesPerSecond > 0 && peakBytes > 0),
  );
  assert.equal(found.largest, found.tried.at(-1)?.size);
  assert.ok(found.suggestion <= found.largest);
  const options = { data: (size: number) => trainSet.batch(size), optimizer: sgd({ lr: 0.1 }) };
  await rejects(train.findBatchSize(model, { ...options, memoryLimit: 10 }), 'E_ARGUMENT', /batches of 8 to fit/);
});

async function firstLoss(options: Partial<train.FitOptions>): Promise<number> {
  using model = mlp();
  await using run = train.fit(model, { data, epochs: 1, seed: 2, optimizer: sgd({ lr: 0 }), ...options });
  const events = await collect(run);
  return ofType(events, 'step')[0]?.metrics.loss ?? Number.NaN;
}

/** The loss of the first batch by a call of the op. */
async function expected(options: object): Promise<number> {
  using model = mlp();
  model.build([2], 2);
  for await (const batch of data.epoch(0, { seed: 2 })) {
    using loss = scope(() => {
      const output = model.predict(tensor(batch.x.data, batch.x.shape));
      return softmaxCrossEntropy(output, tensor(batch.y.data, batch.y.shape), options);
    });
    return loss.item();
  }
  return Number.NaN;
}

balanced('labels are smoothed and classes weighted while training, not in validation', async () => {
  using classWeights = tensor([1, 2, 0.5]);
  assert.equal(await firstLoss({ labelSmoothing: 0.1 }), await expected({ labelSmoothing: 0.1 }));
  assert.equal(await firstLoss({ classWeights: [1, 2, 0.5] }), await expected({ classWeights }));
  using model = mlp();
  const options = {
    data,
    validation,
    epochs: 1,
    optimizer: sgd({ lr: 0.1 }),
    labelSmoothing: 0.2,
    classWeights: [1, 2, 0.5],
  };
  await using run = train.fit(model, options);
  const { history } = await run.result;
  assert.equal(history[0]?.metrics.val_loss, (await train.evaluate(model, { data: validation })).loss);
  const wrong = (more: object, message: RegExp) =>
    refuses(() => train.fit(model, { ...options, ...more }), 'E_ARGUMENT', message);
  wrong({ labelSmoothing: 1 }, /in \[0, 1\), received 1/);
  wrong({ classWeights: [1, -1] }, /at least 0, received 1, -1/);
  wrong({ loss: 'mse' }, /with softmaxCrossEntropy, received them with mse/);
});

balanced('examples count by their weights: a weight of 0 is as if they were not there', async () => {
  const some = trainSet.take(32);
  const weighted = some.batch(32).map((batch) => ({
    ...batch,
    weight: { data: Float32Array.from({ length: 32 }, (_unused, i) => (i < 20 ? 2 : 0)), shape: [32], dtype: 'f32' },
  }));
  const weights = async (loader: train.FitOptions['data'], capture: boolean): Promise<[number, nn.Weights]> => {
    using model = mlp();
    await using run = train.fit(model, { data: loader, epochs: 3, optimizer: sgd({ lr: 0.2 }), capture });
    const { history } = await run.result;
    return [history[0]?.metrics.loss ?? Number.NaN, await model.stateDict()];
  };
  const [loss, plain] = await weights(some.take(20).batch(32), true);
  for (const capture of [true, false]) {
    const [found, values] = await weights(weighted, capture);
    assert.ok(Math.abs(found - loss) < 1e-6);
    for (const [name, { data: ours }] of values)
      plain.get(name)?.data.forEach((value, i) => {
        assert.ok(Math.abs(value - (ours[i] ?? Number.NaN)) < 1e-6, name);
      });
  }
});

balanced('a regression with two outputs is weighted by example', async () => {
  const x = { data: Float32Array.of(1, 2), shape: [2, 1], dtype: 'f32' } as const;
  const y = { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2], dtype: 'f32' } as const;
  const weight = { data: Float32Array.of(3, 1), shape: [2], dtype: 'f32' } as const;
  const loader = Dataset.fromArrays({ x, y })
    .batch(2)
    .map((batch) => ({ ...batch, weight }));
  using model = nn.sequential([nn.dense({ units: 2, weightInit: nn.init.zeros() })]);
  await using run = train.fit(model, { data: loader, epochs: 1, optimizer: sgd({ lr: 0 }), loss: 'mse' });
  const { history } = await run.result;
  assert.equal(history[0]?.metrics.loss, (3 * 2.5 + 12.5) / 4);
});
