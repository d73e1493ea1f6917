// Metrics beside the loss: among the k largest, and functions of the user's own.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Dataset } from '../../src/data/index.js';
import * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import { sgd } from '../../src/optim/index.js';
import * as train from '../../src/train/index.js';
import { mlp } from '../support/blobs.js';
import { symmetric } from '../support/formula.js';
import { refuses, rejects } from '../support/refuses.js';
import { balanced, collect, ofType, testSet, trainSet } from './setup.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-metrics-'));
after(() => rmSync(folder, { recursive: true }));

const [N, C] = [37, 7];
const logits = Array.from({ length: N }, (_, i) => Array.from({ length: C }, (_, c) => symmetric(C * i + c, 5)));
const labels = Int32Array.from({ length: N }, (_, i) => (3 * i) % C);

/** A model that gives its input: logits as they are told. */
function identity(classes: number): nn.Sequential {
  const model = nn.sequential([nn.flatten()]);
  model.build([classes], 1);
  return model;
}

const x = { data: Float32Array.from(logits.flat()), shape: [N, C], dtype: 'f32' } as const;

/** Among the k largest of its row, counted by sorting. */
const among = (k: number): number =>
  logits.filter((row, i) => [...row].sort((a, b) => b - a).indexOf(row[labels[i] ?? 0] ?? 0) < k).length / N;

balanced('the class is among the k largest outputs as often as by sorting, also of mixed classes', async () => {
  using model = identity(C);
  const metrics = ['accuracy', ...[1, 2, 5, 7, 9].map(train.topK)] as const;
  const mixed = Float32Array.from({ length: N * C }, (_, i) => (i % C === labels[Math.floor(i / C)] ? 0.7 : 0.05));
  for (const y of [
    { data: labels, shape: [N], dtype: 'i32' },
    { data: mixed, shape: [N, C], dtype: 'f32' },
  ] as const) {
    const found = await train.evaluate(model, { data: Dataset.fromArrays({ x, y }).batch(10), metrics });
    for (const k of [1, 2, 5, 7, 9]) {
      const value = found[`top${k}_accuracy`] ?? Number.NaN;
      // Means of batches are f32.
      assert.ok(Math.abs(value - among(k)) < 1e-6, `${k}: ${value}, expected ${among(k)}`);
    }
    assert.equal(found.top1_accuracy, found.accuracy);
    assert.ok((found.top2_accuracy ?? 0) < (found.top5_accuracy ?? 0) && found.top7_accuracy === 1);
  }
  // NaN is no answer, and what is as large as the class's own is not ahead of it.
  const few = { data: Float32Array.of(Number.NaN, 0, 1, 2, 2, 1), shape: [2, 3], dtype: 'f32' } as const;
  const y = { data: Int32Array.of(0, 0), shape: [2], dtype: 'i32' } as const;
  using three = identity(3);
  const odd = await train.evaluate(three, {
    data: Dataset.fromArrays({ x: few, y }).batch(2),
    metrics: [train.topK(1), train.topK(2)],
  });
  assert.deepEqual([odd.top1_accuracy, odd.top2_accuracy], [0.5, 0.5]);
});

/** The mean probability that the target's class is given. */
const confidence: train.Metric = {
  name: 'confidence',
  fn: (output, target) => ops.exp(ops.neg(ops.softmaxCrossEntropy(output, target))),
};

const fitting = (more: Partial<train.FitOptions> = {}): train.FitOptions => ({
  data: trainSet.shuffle().batch(40), // 4 batches of 40, one of 32
  validation: testSet.batch(40),
  epochs: 3,
  seed: 3,
  optimizer: sgd({ lr: 0.2, ema: { decay: 0.9 } }),
  metrics: ['accuracy', train.topK(2), confidence],
  ...more,
});

balanced(
  'a metric of the own is measured in captured steps, in validation and of averages, and can be monitored',
  async () => {
    const histories: unknown[] = [];
    for (const capture of [true, false]) {
      using model = mlp();
      const callbacks = [train.earlyStopping({ monitor: 'ema_val_top2_accuracy', patience: 9, restoreBest: true })];
      await using run = train.fit(model, fitting({ capture, callbacks }));
      const events = await collect(run);
      assert.deepEqual(ofType(events, 'warning'), []);
      const { history, best } = await run.result;
      for (const { metrics } of ofType(events, 'step')) {
        assert.deepEqual(Object.keys(metrics), ['loss', 'accuracy', 'top2_accuracy', 'confidence']);
        assert.ok(Math.abs((metrics.confidence ?? 0) - Math.exp(-(metrics.loss ?? 0))) < 1e-6);
      }
      histories.push(history.map(({ metrics }) => metrics));
      const values = history.map(({ metrics }) => metrics.ema_val_top2_accuracy ?? 0);
      assert.equal(best?.value, Math.max(...values));
      const last = history.at(-1)?.metrics ?? {};
      assert.ok((last.val_confidence ?? 0) > 0.5 && last.val_confidence !== last.ema_val_confidence);
    }
    assert.deepEqual(histories[0], histories[1]);
  },
);

balanced('metrics go on where a run is resumed within an epoch; other ones are refused', async () => {
  const go = async (name: string, stopAt: number, more: Partial<train.FitOptions> = {}) => {
    using model = mlp();
    const directory = join(folder, name);
    const callbacks = [train.checkpoint({ directory })];
    await using run = train.fit(model, fitting({ callbacks, resume: directory, ...more }));
    for await (const event of run) if (event.type === 'step' && event.step === stopAt) run.stop();
    return (await run.result).history.map(({ metrics }) => metrics);
  };
  const whole = await go('whole', Number.POSITIVE_INFINITY);
  assert.equal((await go('stopped', 8)).length, 1);
  await rejects(
    go('stopped', 9, { metrics: ['accuracy', confidence, train.topK(2)] }),
    'E_ARGUMENT',
    /resumed, loss, accuracy, top2_accuracy, confidence, received loss, accuracy, confidence, top2_accuracy/,
  );
  assert.deepEqual(await go('stopped', Number.POSITIVE_INFINITY), whole);
});

balanced('metrics that make no sense are refused', async () => {
  refuses(() => train.topK(0), 'E_ARGUMENT', /topK: expected k to be an integer of at least 1/);
  using model = mlp();
  const fit = (metrics: readonly (train.MetricName | train.Metric)[]) => train.fit(model, fitting({ metrics }));
  for (const name of ['accuracy', 'loss', 'val_f1', 'ema_f1', '']) {
    const own = { ...confidence, name };
    refuses(() => fit(['accuracy', own]), 'E_ARGUMENT', new RegExp(`none twice, none loss, .*received '${name}'`));
  }
  // @ts-expect-error: there is none of that name
  refuses(() => fit(['f1']), 'E_ARGUMENT', /one of accuracy, or \{ name, fn \}, received 'f1'/);
  // @ts-expect-error: a function is needed
  refuses(() => fit([{ name: 'f1' }]), 'E_ARGUMENT', /with a function .*received 'f1'/);
  await using run = fit([{ name: 'each', fn: (output) => output }]);
  await rejects(run.result, 'E_SHAPE', /expected each to be a scalar, received \[40,3\]/);
});
