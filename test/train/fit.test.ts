// Training runs: events, results, errors and ends.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cpuInfo, setThreads } from '../../src/backend/device.js';
import { fromIterable, type HostBatch } from '../../src/data/index.js';
import { adam, sgd } from '../../src/optim/index.js';
import { linear } from '../../src/schedule/index.js';
import * as train from '../../src/train/index.js';
import { mlp } from '../support/blobs.js';
import { refuses, rejects } from '../support/refuses.js';
import { balanced, collect, data, ofType, testSet, trainSet, validation } from './setup.js';

const { threads } = cpuInfo();
after(() => setThreads(threads));

balanced('a run learns, and tells so in order', async () => {
  using model = mlp();
  const lr = linear({ from: 0.2, end: 0.05, steps: 24 });
  await using run = train.fit(model, { data, validation, epochs: 4, optimizer: sgd({ lr, momentum: 0.9 }) });
  const events = await collect(run);

  const order = Array.from({ length: 4 }, () => [...Array<string>(6).fill('step'), 'epoch']).flat();
  assert.deepEqual(
    events.map(({ type }) => type),
    [...order, 'stop'],
  );
  const steps = ofType(events, 'step');
  steps.forEach((event, i) => {
    assert.deepEqual(
      [event.step, event.epoch, event.batch, event.size, event.totalSteps, event.lr],
      [i + 1, Math.floor(i / 6), i % 6, 32, 24, lr.at(i)],
    );
    assert.deepEqual(Object.keys(event.metrics), ['loss', 'accuracy']);
    assert.ok(event.ms >= 0);
  });
  const epochs = ofType(events, 'epoch');
  epochs.forEach((event, i) => {
    assert.deepEqual([event.epoch, event.epochs, event.step], [i, 4, 6 * (i + 1)]);
    assert.deepEqual(Object.keys(event.metrics), ['loss', 'accuracy', 'val_loss', 'val_accuracy']);
    const losses = steps.filter(({ epoch }) => epoch === i).map(({ metrics }) => metrics.loss ?? Number.NaN);
    const mean = losses.reduce((a, b) => a + b, 0) / losses.length;
    assert.ok(Math.abs((event.metrics.loss ?? 0) - mean) < 1e-9);
    assert.equal(event.lr, lr.at(6 * i + 5));
    assert.ok(event.samplesPerSecond > 0);
  });
  const first = epochs[0]?.metrics.loss ?? 0;
  const last = epochs[3]?.metrics ?? {};
  assert.ok((last.loss ?? 1) < first / 2, `loss ${first} to ${last.loss}`);
  assert.ok((last.val_accuracy ?? 0) > 0.9, `accuracy ${last.val_accuracy}`);
  assert.deepEqual(events.at(-1), { type: 'stop', reason: 'completed', step: 24 });

  const result = await run.result;
  assert.deepEqual(result, { history: epochs, best: null, stopReason: 'completed', steps: 24 });
  assert.deepEqual(await train.evaluate(model, { data: validation }), {
    loss: last.val_loss,
    accuracy: last.val_accuracy,
  });
  assert.deepEqual(await collect(run), [], 'a run that has ended has nothing more to tell');
});

balanced('metrics are means over samples, also when batches differ in size', async () => {
  using model = mlp();
  model.build([2], 0);
  const whole = await train.evaluate(model, { data: testSet.batch(96) });
  const parts = await train.evaluate(model, { data: testSet.batch(35) });
  assert.ok(Math.abs((whole.loss ?? 0) - (parts.loss ?? 1)) < 1e-6);
  assert.ok(Math.abs((whole.accuracy ?? 0) - (parts.accuracy ?? 1)) < 1e-6);
  await rejects(train.evaluate(model, { data: testSet.take(0).batch(5) }), 'E_ARGUMENT', /at least one batch/);
});

balanced('no epochs: the model is left alone', async () => {
  using model = mlp();
  await using run = train.fit(model, { data, epochs: 0, optimizer: sgd({ lr: 0.1 }) });
  assert.deepEqual(await collect(run), [{ type: 'stop', reason: 'completed', step: 0 }]);
  assert.equal(model.built, false);
});

balanced('several observers see the same events', async () => {
  using model = mlp();
  await using run = train.fit(model, { data, epochs: 2, optimizer: sgd({ lr: 0.1 }) });
  const [a, b] = await Promise.all([collect(run), collect(run)]);
  assert.equal(a.length, 2 * 7 + 1);
  assert.deepEqual(a, b);
});

async function losses(seed: number, count: number): Promise<string> {
  setThreads(count);
  using model = mlp(0.2);
  const optimizer = adam({ lr: 0.01, ema: { decay: 0.9 } });
  await using run = train.fit(model, { data, validation, epochs: 2, optimizer, seed });
  const events = await collect(run);
  const values = events.map((event) => ('metrics' in event ? Object.entries(event.metrics) : []));
  return JSON.stringify([values, [...(await model.stateDict())].map(([name, w]) => [name, [...w.data]])]);
}

balanced('the same seed gives the same losses and weights, bit for bit, at 1, 2 and 3 threads', async () => {
  const expected = await losses(3, 1);
  for (const count of [1, 2, 3]) assert.equal(await losses(3, count), expected, `${count} threads`);
  assert.notEqual(await losses(4, 1), expected);
});

balanced('an abort signal stops the run at the next step', async () => {
  using model = mlp();
  const controller = new AbortController();
  const seen: string[] = [];
  const watch: train.Callback = {
    name: 'watch',
    onStep({ step }) {
      if (step === 8) controller.abort();
    },
    onStop({ reason }) {
      seen.push(reason);
    },
  };
  const { signal } = controller;
  await using run = train.fit(model, { data, epochs: 100, optimizer: sgd({ lr: 0.1 }), callbacks: [watch], signal });
  const events = await collect(run);
  const { stopReason, steps, history } = await run.result;
  assert.equal(stopReason, 'aborted');
  assert.ok(steps >= 8 && steps <= 10, `${steps} steps`); // those enqueued already are finished
  assert.equal(history.length, 1);
  assert.deepEqual(events.at(-1), { type: 'stop', reason: 'aborted', step: steps });
  assert.equal(ofType(events, 'step').length, steps);
  assert.deepEqual(seen, ['aborted']);
});

balanced('a signal that is aborted already lets no step happen', async () => {
  using model = mlp();
  const signal = AbortSignal.abort();
  await using run = train.fit(model, { data, epochs: 1, optimizer: sgd({ lr: 0.1 }), signal });
  const { stopReason, steps } = await run.result;
  assert.deepEqual([stopReason, steps], ['aborted', 0]);
});

balanced('breaking out of the events does not hold up the run', async () => {
  using model = mlp();
  await using run = train.fit(model, { data, epochs: 60, optimizer: sgd({ lr: 0.1 }) });
  for await (const event of run) if (event.type === 'step') break;
  const { stopReason, steps } = await run.result;
  assert.deepEqual([stopReason, steps], ['completed', 360]); // more than an observer may fall behind
});

balanced('leaving the block aborts the run and frees what it had, whatever its observers do', async () => {
  using model = mlp();
  let run: train.Run;
  {
    await using scoped = train.fit(model, { data, epochs: 10_000, optimizer: adam({ lr: 0.01, ema: { decay: 0.9 } }) });
    run = scoped;
    // An iterator that is neither read to its end nor closed.
    await scoped[Symbol.asyncIterator]().next();
    for await (const event of scoped) if (event.type === 'step' && event.step === 20) break;
  }
  assert.equal((await run.result).stopReason, 'aborted');
  assert.equal(run.optimizer, null);
});

balanced('an observer that falls behind slows the run, and does not keep it from being disposed', async () => {
  using model = mlp();
  let done = 0;
  const count: train.Callback = {
    name: 'count',
    onStep({ step }) {
      done = step;
    },
  };
  await using run = train.fit(model, { data, epochs: 1000, optimizer: sgd({ lr: 0.1 }), callbacks: [count] });
  const idle = run[Symbol.asyncIterator]();
  assert.equal((await idle.next()).done, false);
  const pause = (ms: number) => new Promise((next) => setTimeout(next, ms));
  while (done < 200) await pause(5);
  await pause(300);
  assert.ok(done < 300, `${done} steps`);
});

balanced('disposing a run twice, or one that has ended, is fine', async () => {
  using model = mlp();
  const run = train.fit(model, { data, epochs: 1, optimizer: sgd({ lr: 0.1 }) });
  await run.result;
  await run[Symbol.asyncDispose]();
  await run[Symbol.asyncDispose]();
});

balanced('with a moving average there are metrics of the averaged weights', async () => {
  using model = mlp();
  const optimizer = sgd({ lr: 0.2, ema: { decay: 0.8 } });
  await using run = train.fit(model, { data, validation, epochs: 2, optimizer });
  const { history } = await run.result;
  const last = history.at(-1)?.metrics ?? {};
  assert.deepEqual(Object.keys(last), [
    'loss',
    'accuracy',
    'val_loss',
    'val_accuracy',
    'ema_val_loss',
    'ema_val_accuracy',
  ]);
  const averaged = await run.optimizer?.withEma(() => train.evaluate(model, { data: validation }));
  assert.deepEqual(averaged, { loss: last.ema_val_loss, accuracy: last.ema_val_accuracy });
  assert.notEqual(last.ema_val_loss, last.val_loss);
  // The parameters are back in their place.
  assert.equal((await train.evaluate(model, { data: validation })).loss, last.val_loss);
});

balanced('an average without memory is the weights themselves', async () => {
  using model = mlp();
  await using run = train.fit(model, { data, validation, epochs: 1, optimizer: sgd({ lr: 0.2, ema: { decay: 0 } }) });
  const metrics = (await run.result).history[0]?.metrics ?? {};
  assert.equal(metrics.ema_val_loss, metrics.val_loss);
});

balanced('a loss that is not finite ends the run and its events with E_NONFINITE', async () => {
  using model = mlp();
  await using run = train.fit(model, { data, epochs: 50, optimizer: sgd({ lr: 1e30 }) });
  const seen: train.TrainEvent[] = [];
  await rejects(
    (async () => {
      for await (const event of run) seen.push(event);
    })(),
    'E_NONFINITE',
    /^fit: expected a finite loss, received .* at step \d/,
  );
  await rejects(run.result, 'E_NONFINITE');
  const stop = seen.at(-1);
  assert.ok(stop?.type === 'stop' && stop.reason === 'nonfinite');
});

balanced('a data source that throws ends the run with its error', async () => {
  const error = new Error('the disk is gone');
  async function* broken(): AsyncGenerator<HostBatch> {
    let count = 0;
    for (const batch of trainSet.batch(32).epoch(0)) {
      if (count++ === 3) throw error;
      yield batch;
    }
  }
  using model = mlp();
  await using run = train.fit(model, { data: fromIterable(broken), epochs: 2, optimizer: sgd({ lr: 0.1 }) });
  const seen: train.TrainEvent[] = [];
  const read = (async () => {
    for await (const event of run) seen.push(event);
  })();
  await assert.rejects(read, (thrown) => thrown === error);
  await assert.rejects(run.result, (thrown) => thrown === error);
  const stop = seen.at(-1);
  assert.ok(stop?.type === 'stop' && stop.reason === 'error');
  const step = ofType(seen, 'step')[0];
  assert.equal(step?.totalSteps, undefined);
});

balanced('a data source is closed when the run leaves it early', async () => {
  let closed = 0;
  const source = fromIterable(async function* (epoch, options) {
    try {
      yield* trainSet.batch(8).epoch(epoch, options);
    } finally {
      closed++;
    }
  });
  using model = mlp();
  await using run = train.fit(model, { data: source, epochs: 2, optimizer: sgd({ lr: 0.1 }) });
  for await (const event of run) if (event.type === 'step' && event.step === 3) run.stop();
  assert.equal(closed, 1);
});

balanced('a model may be trained again once its run is disposed', async () => {
  using model = mlp();
  const options: train.FitOptions = { data, epochs: 1, optimizer: adam({ lr: 0.01 }) };
  let first: train.FitResult;
  {
    await using run = train.fit(model, options);
    first = await run.result;
    await using early = train.fit(model, options);
    await rejects(early.result, 'E_ARGUMENT', /belongs to another optimizer/);
  }
  await using run = train.fit(model, options);
  const again = await run.result;
  assert.ok((again.history[0]?.metrics.loss ?? 9) < (first.history[0]?.metrics.loss ?? 0));
});

balanced('options that make no sense are refused at the call', async () => {
  using model = mlp();
  const optimizer = sgd({ lr: 0.1 });
  const unknown: string = 'nope';
  const base = { data, epochs: 1, optimizer };
  refuses(() => train.fit(model, { ...base, loss: unknown as 'mse' }), 'E_ARGUMENT', /one of softmax.*'nope'/);
  const inherited: string = 'toString';
  refuses(() => train.fit(model, { ...base, loss: inherited as 'mse' }), 'E_ARGUMENT', /received 'toString'/);
  refuses(
    () => train.fit(model, { ...base, metrics: [unknown as 'accuracy'] }),
    'E_ARGUMENT',
    /metric.*accuracy.*'nope'/,
  );
  for (const epochs of [-1, 1.5, Number.NaN]) {
    refuses(() => train.fit(model, { ...base, epochs }), 'E_ARGUMENT', /epochs/);
  }
  await using run = train.fit(model, { ...base, loss: (output) => output });
  await rejects(run.result, 'E_SHAPE', /loss to be a scalar, received \[32,3\]/);
});

balanced('a model that cannot take the samples fails with its own words', async () => {
  using model = mlp();
  model.build([3], 0);
  await using run = train.fit(model, { data, epochs: 1, optimizer: sgd({ lr: 0.1 }) });
  await rejects(run.result, 'E_SHAPE');
});
