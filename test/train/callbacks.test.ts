// Early stopping, update ratios, and how a run calls its callbacks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backward } from '../../src/autograd/index.js';
import { fromIterable } from '../../src/data/index.js';
import type { Weights } from '../../src/nn/index.js';
import { softmaxCrossEntropy } from '../../src/ops/index.js';
import { sgd } from '../../src/optim/index.js';
import { scope } from '../../src/tensor/scope.js';
import { tensor } from '../../src/tensor/tensor.js';
import * as train from '../../src/train/index.js';
import { blobs, mlp } from '../support/blobs.js';
import { refuses, rejects } from '../support/refuses.js';
import { balanced, collect, data, ofType, trainSet, validation } from './setup.js';

/** Right labels in the first two epochs, wrong ones from then on. */
const turning = fromIterable(
  async function* (epoch, options) {
    const set = epoch < 2 ? trainSet : blobs(192, 1, (label) => (label + 1) % 3);
    for await (const batch of set.shuffle().batch(32).epoch(epoch, options)) yield batch;
  },
  { batchesPerEpoch: 6 },
);

for (const ema of [false, true]) {
  balanced(`early stopping keeps the best ${ema ? 'averaged ' : ''}weights`, async () => {
    using model = mlp();
    const snapshots: Weights[] = [];
    const watch: train.Callback = {
      name: 'watch',
      async onEpoch(_event, run) {
        snapshots.push(await run.weights(ema ? 'ema' : 'raw'));
      },
    };
    const monitor = ema ? 'ema_val_loss' : 'val_loss';
    await using run = train.fit(model, {
      data: turning,
      validation,
      epochs: 20,
      optimizer: sgd({ lr: 0.2, ...(ema ? { ema: { decay: 0.5 } } : {}) }),
      callbacks: [watch, train.earlyStopping({ monitor, patience: 2, restoreBest: true })],
    });
    const { history, best, stopReason } = await run.result;
    assert.equal(stopReason, 'earlyStopping');
    const values = history.map(({ metrics }) => metrics[monitor] ?? Number.NaN);
    const least = Math.min(...values);
    const at = values.indexOf(least);
    assert.ok(at >= 1 && at <= 2, values.join());
    assert.equal(history.length, at + 3, 'two epochs without improvement');
    assert.deepEqual(best, { monitor, value: least, epoch: at, restored: true });
    assert.deepEqual(await model.stateDict(), snapshots[at]);
    assert.notDeepEqual(snapshots[at], snapshots.at(-1));
    assert.equal((await train.evaluate(model, { data: validation })).loss, least);
  });
}

test('early stopping: the direction follows the name, small gains and NaN do not count', async () => {
  const monitored = async (
    options: train.EarlyStoppingOptions,
    values: readonly number[],
  ): Promise<{ stoppedAt: number | null; best: train.Best | null; why?: train.StopReason }> => {
    let why: train.StopReason | null = null;
    let stoppedAt: number | null = null;
    let best: train.Best | null = null;
    const callback = train.earlyStopping(options);
    for (const [epoch, value] of values.entries()) {
      const event = { type: 'epoch', epoch, epochs: values.length, step: 0, lr: 0, seconds: 1, samplesPerSecond: 1 };
      const unused = (): never => assert.fail('not used');
      const run: train.RunHandle = {
        get model() {
          return unused();
        },
        get optimizer() {
          return unused();
        },
        seed: 0,
        callbacks: [callback],
        warn: unused,
        snapshot: unused,
        stop: (reason) => {
          stoppedAt ??= epoch;
          why ??= reason;
        },
        weights: () => Promise.resolve(new Map()),
        restore: () => undefined,
        setBest: (value) => {
          best = value;
        },
      };
      await callback.onEpoch?.({ ...event, type: 'epoch', metrics: { [options.monitor ?? 'val_loss']: value } }, run);
    }
    return { stoppedAt, best, ...(why === null || why === 'earlyStopping' ? {} : { why }) };
  };
  const best = (monitor: string, value: number, epoch: number) => ({ monitor, value, epoch, restored: false });
  assert.deepEqual(await monitored({}, [3, 2, 2, 1]), { stoppedAt: 2, best: best('val_loss', 1, 3) });
  assert.deepEqual(await monitored({ monitor: 'val_accuracy', patience: 1 }, [0.5, 0.6, 0.4]), {
    stoppedAt: 2,
    best: best('val_accuracy', 0.6, 1),
  });
  assert.deepEqual(await monitored({ mode: 'max', patience: 3 }, [1, 2, 3]), {
    stoppedAt: null,
    best: best('val_loss', 3, 2),
  });
  assert.deepEqual(await monitored({ minDelta: 0.5, patience: 2 }, [3, 2.9, 2.8, 2.4]), {
    stoppedAt: 2,
    best: best('val_loss', 2.4, 3),
  });
  assert.deepEqual(await monitored({ patience: 2, checkFinite: false }, [Number.NaN, 2, Number.NaN, 1]), {
    stoppedAt: null,
    best: best('val_loss', 1, 3),
  });
  assert.deepEqual(await monitored({ patience: 9 }, [2, Number.NaN]), {
    stoppedAt: 1,
    best: best('val_loss', 2, 0),
    why: 'nonfinite',
  });
  assert.deepEqual(await monitored({ patience: 9, divergence: 5 }, [2, 5, 5.5]), {
    stoppedAt: 2,
    best: best('val_loss', 2, 0),
    why: 'diverged',
  });
  assert.deepEqual(await monitored({ monitor: 'accuracy', patience: 9, divergence: 0.2 }, [0.3, 0.1]), {
    stoppedAt: 1,
    best: best('accuracy', 0.3, 0),
    why: 'diverged',
  });
  assert.deepEqual(await monitored({ patience: 2, baseline: 1 }, [3, 2, 0.5]), {
    stoppedAt: 1,
    best: best('val_loss', 0.5, 2),
  });
  assert.deepEqual(await monitored({ patience: 1, warmupEpochs: 3 }, [1, 2, 3, 4]), {
    stoppedAt: 3,
    best: best('val_loss', 1, 0),
  });
  refuses(() => train.earlyStopping({ patience: -1 }), 'E_ARGUMENT', /at least 0/);
  refuses(() => train.earlyStopping({ minDelta: Number.NaN }), 'E_ARGUMENT');
});

balanced('early stopping on a metric that is not there names those that are', async () => {
  using model = mlp();
  const callbacks = [train.earlyStopping()];
  await using run = train.fit(model, { data, epochs: 1, optimizer: sgd({ lr: 0.1 }), callbacks });
  await rejects(run.result, 'E_ARGUMENT', /one of loss, accuracy, received 'val_loss'/);
});

balanced('update ratios are |lr gradient| / |weight| of the step they come with', async () => {
  const lr = 0.1;
  const batches = trainSet.batch(32);
  using model = mlp();
  const callbacks = [train.updateRatio({ every: 2 })];
  await using run = train.fit(model, { data: batches, epochs: 1, optimizer: sgd({ lr }), seed: 5, callbacks });
  const steps = ofType(await collect(run), 'step');

  // The same steps by hand.
  using twin = mlp();
  twin.build([2], 5);
  let index = 0;
  for (const batch of batches.epoch(0)) {
    const event = steps[index++];
    assert.ok(event);
    scope(() => {
      const y = twin.forward(tensor(batch.x.data, batch.x.shape), { training: true, seed: 5, step: index - 1 });
      backward(softmaxCrossEntropy(y, tensor(batch.y.data, batch.y.shape)));
    });
    const wanted = index % 2 === 0;
    assert.equal(event.updateRatios !== undefined, wanted, `step ${index}`);
    for (const [name, parameter] of twin.namedParameters()) {
      const before = parameter.dataSync();
      const gradient = parameter.grad?.dataSync() ?? new Float32Array();
      const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
      if (wanted) {
        const ratio = (lr * norm(gradient)) / norm(before);
        const got = event.updateRatios?.[name] ?? Number.NaN;
        assert.ok(got > 0 && Math.abs(got - ratio) < 1e-4 * ratio, `${name} at ${index}: ${got}, expected ${ratio}`);
      }
      parameter.write(before.map((v, i) => v - lr * (gradient[i] ?? 0)));
      parameter.grad?.dispose();
      parameter.grad = null;
    }
  }
  assert.equal(index, 6);
  refuses(() => train.updateRatio({ every: 0 }), 'E_ARGUMENT', /received 0/);
});

balanced('a callback that throws ends the run with its error', async () => {
  const error = new Error('no more disk');
  const order: string[] = [];
  const note = (name: string): train.Callback => ({
    name,
    onStep: ({ step }) => void order.push(`${name}${step}`),
    onStop: ({ reason }) => void order.push(`${name} ${reason}`),
  });
  const failing: train.Callback = {
    name: 'failing',
    async onStep({ step }) {
      if (step === 2) throw error;
    },
  };
  using model = mlp();
  const callbacks = [note('a'), failing, note('b')];
  await using run = train.fit(model, { data, epochs: 1, optimizer: sgd({ lr: 0.1 }), callbacks });
  await assert.rejects(run.result, (thrown) => thrown === error);
  assert.deepEqual(order, ['a1', 'b1', 'a2', 'a error', 'b error']);
});

balanced('a ratio out of its bounds is warned of once, its rate scaled, or the run ended', async () => {
  const outcome = async (options: train.UpdateRatioOptions): Promise<[train.TrainEvent[], train.FitResult]> => {
    using model = mlp();
    const callbacks = [train.updateRatio({ every: 1, ...options })];
    await using run = train.fit(model, { data, epochs: 3, optimizer: sgd({ lr: 0.5 }), callbacks });
    return [await collect(run), await run.result];
  };
  const [warned, { stopReason }] = await outcome({ upper: 1e-5, patience: 4 });
  const messages = ofType(warned, 'warning').map(({ message }) => message);
  assert.equal(messages.length, 2, messages.join());
  assert.match(messages[0] ?? '', /^step 4: the update-to-weight ratio of dense1\.weight is \d.*, above 1e-5$/);
  assert.equal(stopReason, 'completed');

  const [stopped, result] = await outcome({ lower: 10, upper: 20, match: /dense2\.weight/, action: 'stop' });
  assert.equal(result.stopReason, 'updateRatio');
  assert.match(ofType(stopped, 'warning')[0]?.message ?? '', /^step 3: .*dense2\.weight is .*, below 10$/);
  assert.ok(result.steps <= 4);

  const [scaled] = await outcome({ upper: 1e-3, action: 'scale' });
  const ratios = ofType(scaled, 'step').map(({ updateRatios }) => updateRatios?.['dense1.weight'] ?? Number.NaN);
  assert.ok((ratios[0] ?? 0) > 5e-3 && ratios.slice(9).every((ratio) => ratio < 2.5e-3), ratios.join());
  assert.deepEqual(ofType((await outcome({ upper: 1e-5, action: 'none' }))[0], 'warning'), []);
  refuses(() => train.updateRatio({ lower: 1, upper: 1 }), 'E_ARGUMENT', /lower < upper/);
});

test('the rate is reduced on a plateau as by PyTorch', async () => {
  // torch.optim.lr_scheduler.ReduceLROnPlateau(opt, mode, factor=0.5, patience=1, threshold=0.1, cooldown=1, min_lr=0.2), lr 1:
  // the rates after each value, by hand from its source.
  const cases: [train.ReduceOnPlateauOptions, number[], number[]][] = [
    [{}, [1, 0.95, 0.85, 0.84, 0.83, 0.82, 0.81, 0.8], [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25]],
    [{ thresholdMode: 'abs', mode: 'max' }, [1, 1.05, 1.2, 1.25, 1.3, 1.3], [1, 1, 1, 1, 0.5, 0.5]],
    [{ cooldown: 0 }, [1, 1, 1, 1, 1, 1, 1], [1, 1, 0.5, 0.5, 0.25, 0.25, 0.2]],
  ];
  for (const [options, values, expected] of cases) {
    let at = 0;
    const rates: number[] = [];
    const feed: train.Callback = {
      name: 'feed',
      onEpoch: (_event, run) => void rates.push(run.optimizer.lr(0)),
    };
    const given: train.Callback = {
      ...train.reduceOnPlateau({ factor: 0.5, patience: 1, threshold: 0.1, cooldown: 1, least: 0.2, ...options }),
    };
    const fed: train.Callback = {
      name: 'fed',
      onEpoch: (event, run) => given.onEpoch?.({ ...event, metrics: { val_loss: values[at++] ?? Number.NaN } }, run),
    };
    using model = mlp();
    await using run = train.fit(model, {
      data: trainSet.take(8).batch(8),
      epochs: values.length,
      optimizer: sgd({ lr: 1 }),
      callbacks: [fed, feed],
    });
    await run.result;
    assert.deepEqual(rates, expected, JSON.stringify(options));
  }
});
