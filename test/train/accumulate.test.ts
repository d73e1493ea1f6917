// Gradient accumulation, statistics of averaged weights, and what events carry on request.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from '../../src/nn/index.js';
import { sgd } from '../../src/optim/index.js';
import { tensor } from '../../src/tensor/tensor.js';
import * as train from '../../src/train/index.js';
import { mlp } from '../support/blobs.js';
import { refuses } from '../support/refuses.js';
import { balanced, collect, data, ofType, trainSet, validation } from './setup.js';

const close = (a: Iterable<number>, b: Iterable<number>, bound: number): void => {
  const [x, y] = [[...a], [...b]];
  assert.equal(x.length, y.length);
  x.forEach((value, i) => {
    assert.ok(Math.abs(value - (y[i] ?? Number.NaN)) <= bound, `${i}: ${value} and ${y[i]}`);
  });
};

for (const capture of [true, false]) {
  balanced(`three batches of 32 a step train as one of 96, ${capture ? 'captured' : 'op by op'}`, async () => {
    const optimizer = sgd({ lr: 0.1, momentum: 0.9 });
    const fit = async (size: number, accumulate: number): Promise<[nn.Weights, train.TrainEvent[]]> => {
      using model = mlp();
      await using run = train.fit(model, { data: trainSet.batch(size), epochs: 3, optimizer, accumulate, capture });
      const events = await collect(run);
      return [await model.stateDict(), events];
    };
    const [large, one] = await fit(96, 1);
    const [small, three] = await fit(32, 3);
    for (const [name, { data: values }] of large) close(small.get(name)?.data ?? [], values, 2e-6); // order of sums
    const seen = (events: train.TrainEvent[]) =>
      ofType(events, 'step').map(({ step, totalSteps, size }) => ({ step, totalSteps, size }));
    assert.deepEqual(seen(three), seen(one));
    assert.deepEqual(
      ofType(three, 'step').map(({ batch }) => batch),
      [2, 5, 2, 5, 2, 5],
    );
    close(
      ofType(three, 'epoch').map(({ metrics }) => metrics.loss ?? 0),
      ofType(one, 'epoch').map(({ metrics }) => metrics.loss ?? 0),
      1e-5,
    );
  });
}

balanced('the last step of an epoch averages over the batches it has', async () => {
  const optimizer = sgd({ lr: 0.1 });
  const last = trainSet.take(32 * 5);
  using model = mlp();
  await using run = train.fit(model, { data: last.batch(32), epochs: 1, optimizer, accumulate: 4 });
  assert.deepEqual(
    ofType(await collect(run), 'step').map(({ size, totalSteps }) => [size, totalSteps]),
    [
      [128, 2],
      [32, 2],
    ],
  );
  using plain = mlp();
  await using first = train.fit(plain, { data: last.take(128).batch(128), epochs: 1, optimizer });
  await first.result;
  first.optimizer?.dispose();
  await using second = train.fit(plain, { data: last.skip(128).batch(32), epochs: 1, optimizer });
  await second.result;
  for (const [name, { data: values }] of await plain.stateDict())
    close((await model.stateDict()).get(name)?.data ?? [], values, 1e-6);
  refuses(() => train.fit(mlp(), { data, epochs: 1, optimizer, accumulate: 0 }), 'E_ARGUMENT', /accumulate/);
});

const normed = (): nn.Sequential => nn.sequential([nn.dense({ units: 8 }), nn.batchNorm(), nn.dense({ units: 3 })]);

balanced('refreshed statistics are the plain means over the batches', async () => {
  using model = normed();
  model.build([2], 3);
  const { dense1, batchNorm1 } = Object.fromEntries(model.children);
  await train.refreshStatistics(model, trainSet.batch(64));
  const state = await model.stateDict();
  const mean = new Float64Array(8);
  const variance = new Float64Array(8);
  for (const batch of trainSet.batch(64).epoch(0)) {
    using x = tensor(Float32Array.from(batch.x.data), [64, 2]);
    using y = dense1?.forward(x, nn.evaluation);
    const values = (await y?.data()) ?? new Float32Array();
    for (let c = 0; c < 8; c++) {
      const column = Array.from({ length: 64 }, (_unused, i) => values[8 * i + c] ?? 0);
      const average = column.reduce((a, b) => a + b) / 64;
      mean[c] = (mean[c] ?? 0) + average / 3;
      variance[c] = (variance[c] ?? 0) + column.reduce((sum, v) => sum + (v - average) ** 2, 0) / 63 / 3;
    }
  }
  assert.equal(batchNorm1?.path, 'batchNorm1');
  close(state.get('batchNorm1.runningMean')?.data ?? [], mean, 1e-6);
  close(state.get('batchNorm1.runningVar')?.data ?? [], variance, 1e-5);
});

balanced('averaged weights are looked at, and kept, with statistics of their own', async () => {
  using model = normed();
  const kept: nn.Weights[] = [];
  const watch: train.Callback = {
    name: 'watch',
    async onEpoch(_event, run) {
      kept.push(await run.weights('ema'), await run.weights('raw'));
    },
  };
  await using run = train.fit(model, {
    data,
    validation,
    epochs: 1,
    optimizer: sgd({ lr: 0.5, ema: { decay: 0.9 } }),
    refreshStatistics: 6,
    callbacks: [watch],
  });
  const { history } = await run.result;
  const [ema, raw] = kept;
  assert.ok(ema && raw);
  assert.notDeepEqual(ema.get('batchNorm1.runningMean'), raw.get('batchNorm1.runningMean'));
  assert.deepEqual(await model.stateDict(), raw);
  model.loadStateDict(ema);
  assert.equal((await train.evaluate(model, { data: validation })).loss, history[0]?.metrics.ema_val_loss);
});

balanced('activations of each layer, where they are asked for', async () => {
  using model = nn.sequential([
    nn.sequential({ inner: nn.dense({ units: 4, activation: 'relu', biasInit: nn.init.constant(-100) }) }),
    nn.dense({ units: 3 }),
  ]);
  const ask: train.Callback = { name: 'ask', wants: (step) => ({ activations: step === 2 }) };
  await using run = train.fit(model, { data, epochs: 1, optimizer: sgd({ lr: 0 }), callbacks: [ask] });
  const events = ofType(await collect(run), 'step');
  assert.deepEqual(
    events.map(({ activations }) => activations !== undefined),
    [false, true, false, false, false, false],
  );
  const found = events[1]?.activations ?? {};
  assert.deepEqual(Object.keys(found), ['sequential1.inner', 'sequential1', 'dense1']);
  assert.deepEqual(found['sequential1.inner'], { mean: 0, standardDeviation: 0, zeros: 1, dead: 1 });
  assert.equal(found.dense1?.dead, 1, 'its input is zero, its bias too');
});

test('one forward pass of a net that is alive', async () => {
  using model = mlp();
  model.build([2], 1);
  const ask: train.Callback = { name: 'ask', wants: () => ({ activations: true }) };
  await using run = train.fit(model, { data, epochs: 1, optimizer: sgd({ lr: 0 }), callbacks: [ask] });
  const last = ofType(await collect(run), 'step').at(-1)?.activations?.dense1;
  assert.ok(last && last.zeros > 0.1 && last.zeros < 0.9, JSON.stringify(last));
  assert.ok(last.mean > 0 && last.standardDeviation > 0);
  assert.ok(last.dead <= 0.5);
});
