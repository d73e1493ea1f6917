// Runs recorded in a folder: what is in it, and that it agrees with the events, whichever way the run ends.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnnealError } from '../../src/errors.js';
import * as nn from '../../src/nn/index.js';
import * as optim from '../../src/optim/index.js';
import { filterImage, sampled } from '../../src/report/filters.js';
import { progress, readMetricsLog, readRun } from '../../src/report/index.js';
import { record } from '../../src/report/record.js';
import * as schedule from '../../src/schedule/index.js';
import * as train from '../../src/train/index.js';
import { failure, temporaryFolder } from '../io/host.js';
import { collect, data, ofType, validation } from '../train/setup.js';

const netOf = () => nn.models.mlp({ hidden: [8], outputs: 3 });
const optimizer = optim.sgd({
  lr: schedule.exponential({ from: 0.1, k: 0.01 }),
  ema: { decay: 0.9 },
  clipNorm: 1,
  groups: [{ match: /dense2/, lrScale: 0.5 }],
});

const filesOf = async (dir: string): Promise<string[]> =>
  (await readdir(dir)).map((name) => name.replace(/tfevents\..*/, 'tfevents')).sort();

test('record: the folder of a run that completes', async (context) => {
  const dir = join(await temporaryFolder(context), 'runs', 'first');
  using model = netOf();
  const recorder = record({ dir, config: { width: 8, rate: schedule.constant({ value: 0.5 }) }, monitorEvery: 4 });
  const own: train.Callback = {
    name: 'own',
    async onEpoch({ epoch }, run) {
      recorder.log({ recall: epoch / 10 });
      recorder.histogram('own', [1, 2, 3]);
      recorder.image('own', { width: 1, height: 1, channels: 1, data: Uint8Array.of(9) });
      await run.warn(`after epoch ${epoch}`);
    },
  };
  await using run = train.fit(model, { data, validation, epochs: 2, seed: 5, optimizer, callbacks: [recorder, own] });
  const events = await collect(run);
  assert.deepEqual(await filesOf(dir), ['config.json', 'events.out.tfevents', 'metrics.jsonl', 'report.html']);

  const config = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8'));
  assert.equal(config.title, 'first');
  assert.deepEqual(config.config, { seed: 5, width: 8, rate: schedule.constant({ value: 0.5 }).toJSON() });
  assert.equal(config.optimizer.kind, 'sgd');
  assert.deepEqual(config.model, {
    kind: 'sequential',
    parameterCount: model.parameterCount,
    parameters: Object.fromEntries([...model.namedParameters()].map(([name, { shape }]) => [name, [...shape]])),
  });
  assert.equal(config.machine.node, process.version);

  const logged = await readMetricsLog(join(dir, 'metrics.jsonl'));
  assert.deepEqual(
    logged.map(({ type }) => type).filter((type) => type !== 'step'),
    ['start', 'epoch', 'metrics', 'warning', 'epoch', 'metrics', 'warning', 'stop'],
  );
  const report = await readRun(dir);
  const steps = ofType(events, 'step');
  assert.equal(steps.length, 12);
  assert.deepEqual(
    report.steps.map(({ step, metrics, lr, gradNorm, updateRatios }) => ({
      step,
      metrics,
      lr,
      gradNorm,
      updateRatios,
    })),
    steps.map(({ step, metrics, lr, gradNorm, updateRatios }) => ({ step, metrics, lr, gradNorm, updateRatios })),
  );
  assert.deepEqual(
    report.steps.flatMap(({ step, updateRatios, gradNorm }) => (updateRatios && gradNorm ? [step] : [])),
    [4, 8, 12],
  );
  assert.deepEqual(report.steps[3]?.lrByGroup, { '/dense2/': (steps[3]?.lr ?? 0) / 2 });
  const { memory } = report.steps[0] ?? {};
  assert.ok(memory && memory.live > 0 && memory.rss > memory.live, JSON.stringify(memory));
  assert.deepEqual(
    report.epochs.map(({ epoch, step, metrics }) => ({ epoch, step, metrics })),
    ofType(events, 'epoch').map(({ epoch, step, metrics }) => ({ epoch: epoch + 1, step, metrics })),
  );
  assert.deepEqual(
    report.metrics?.map(({ step, metrics }) => [step, metrics]),
    [
      [6, { recall: 0 }],
      [12, { recall: 0.1 }],
    ],
  );
  assert.deepEqual(
    report.warnings?.map(({ step, message }) => [step, message]),
    [
      [6, 'after epoch 0'],
      [12, 'after epoch 1'],
    ],
  );
  assert.deepEqual([report.stop?.step, report.stop?.reason], [12, 'completed']);
  assert.match(await readFile(join(dir, 'report.html'), 'utf8'), /<title>first<\/title>/);
  assert.throws(() => recorder.log({ recall: 1 }), failure('E_ARGUMENT', /record: expected a run that goes on/));
});

test('record: throughput is that of the steps since it was last told', async (context) => {
  const dir = await temporaryFolder(context);
  using model = netOf();
  const slow: train.Callback = { name: 'slow', onStep: () => sleep(50) };
  const callbacks = [record({ dir, tensorboard: false, report: false }), slow];
  await using run = train.fit(model, { data, epochs: 2, optimizer, callbacks });
  const steps = ofType(await collect(run), 'step');
  const told = (await readRun(dir)).steps.filter(({ samplesPerSecond }) => samplesPerSecond !== undefined);
  assert.ok(told.length >= 2 && told.length < steps.length / 2, `${told.length} of ${steps.length}`);
  let from = 0;
  for (const { step, samplesPerSecond = 0 } of told) {
    const window = steps.slice(from, step);
    const ms = window.reduce((sum, event) => sum + event.ms, 0);
    assert.ok(ms >= 200);
    assert.ok(Math.abs(samplesPerSecond - (32 * window.length * 1000) / ms) < 1e-6);
    from = step;
  }
});

test('record: less of it, where less is asked for', async (context) => {
  const dir = await temporaryFolder(context);
  using model = netOf();
  const options = { dir, title: 'small', every: 5, monitorEvery: 0, tensorboard: false, report: false, machine: false };
  await using run = train.fit(model, { data, epochs: 2, optimizer, callbacks: [record(options)] });
  await run.result;
  assert.deepEqual(await filesOf(dir), ['config.json', 'metrics.jsonl']);
  const report = await readRun(dir);
  assert.deepEqual([report.title, report.machine], ['small', undefined]);
  assert.deepEqual(
    report.steps.map(({ step }) => step),
    [1, 5, 10],
  );
  assert.ok(report.steps.every(({ updateRatios }) => updateRatios === undefined));
});

test('record: statistics of activations, where they are asked for', async (context) => {
  const dir = await temporaryFolder(context);
  using model = netOf();
  const options = { dir, every: 5, monitorEvery: 0, activationsEvery: 4, tensorboard: false };
  await using run = train.fit(model, { data, epochs: 2, optimizer, callbacks: [record(options)] });
  await run.result;
  const { steps } = await readRun(dir);
  const measured = steps.filter(({ activations }) => activations !== undefined);
  assert.deepEqual(
    measured.map(({ step }) => step),
    [4, 8, 12],
  );
  const { dense1 } = measured[0]?.activations ?? {};
  assert.ok(dense1 !== undefined && dense1.standardDeviation > 0 && dense1.dead >= 0 && dense1.dead <= dense1.zeros);
  assert.match(await readFile(join(dir, 'report.html'), 'utf8'), /"title":"Dead units"/);
});

test('record: a run that is aborted and taken up again is one run; one that begins replaces it', async (context) => {
  const dir = await temporaryFolder(context);
  const directory = join(dir, 'checkpoints');
  const fit = async (more: Partial<train.FitOptions>, stopAt = Number.POSITIVE_INFINITY): Promise<train.FitResult> => {
    using model = netOf();
    const stopper: train.Callback = {
      name: 'stopper',
      onStep({ step }, run) {
        if (step >= stopAt) run.stop('aborted');
      },
    };
    const callbacks = [record({ dir }), train.checkpoint({ directory }), stopper];
    await using run = train.fit(model, { data, validation, epochs: 2, seed: 1, optimizer, callbacks, ...more });
    return await run.result;
  };
  assert.equal((await fit({}, 8)).stopReason, 'aborted');
  const half = await readRun(dir);
  assert.equal(half.stop?.reason, 'aborted');
  assert.ok(existsSync(join(dir, 'report.html')));
  await fit({ resume: directory });
  const whole = await readRun(dir);
  assert.deepEqual(
    whole.steps.map(({ step }) => step),
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
  assert.equal(whole.stop?.reason, 'completed');
  assert.equal((await readdir(dir)).filter((name) => name.includes('tfevents')).length, 2);

  await fit({ epochs: 1 });
  const anew = await readRun(dir);
  assert.deepEqual([anew.steps.length, anew.epochs.length], [6, 1]);
  assert.deepEqual(anew.steps[0]?.metrics, whole.steps[0]?.metrics);
});

test('record: the settings that callbacks tell', async (context) => {
  const dir = await temporaryFolder(context);
  using model = netOf();
  const callbacks = [
    record({ dir }),
    train.updateRatio({ upper: 0.1, lower: 0 }),
    train.updateRatio({ upper: 1, lower: 0 }),
  ];
  await using run = train.fit(model, { data, epochs: 1, optimizer, callbacks });
  await run.result;
  const settings = { every: 50, upper: 0.1, lower: 0, action: 'warn', patience: 3 };
  assert.deepEqual((await readRun(dir)).callbacks, [
    { name: 'updateRatio', settings },
    { name: 'updateRatio', settings: { ...settings, upper: 1 } },
  ]);
});

test('record: a run that fails has its log and its report, too', async (context) => {
  const dir = await temporaryFolder(context);
  using model = netOf();
  const failing: train.Callback = {
    name: 'failing',
    onStep({ step }) {
      if (step === 3) throw new Error('out of luck');
    },
  };
  await using run = train.fit(model, { data, epochs: 1, optimizer, callbacks: [record({ dir }), failing] });
  await assert.rejects(run.result, /out of luck/);
  const report = await readRun(dir);
  assert.deepEqual([report.steps.length, report.stop?.reason, report.title], [3, 'error', basename(dir)]);
  assert.equal(report.stop?.error, 'Error: out of luck');
  assert.match(await readFile(join(dir, 'report.html'), 'utf8'), /<strong>error<\/strong>/);
});

test('record: options that make no sense are refused', async (context) => {
  assert.throws(() => record({ dir: '' }), failure('E_ARGUMENT', /expected dir to be a folder, received ''/));
  assert.throws(
    () => record({ dir: 'x', every: 0 }),
    failure('E_ARGUMENT', /every to be an integer of at least 1, received 0/),
  );
  assert.throws(() => record({ dir: 'x', monitorEvery: 0.5 }), failure('E_ARGUMENT', /monitorEvery .* received 0\.5/));
  const folder = await temporaryFolder(context);
  using model = netOf();
  const dir = join(folder, 'a', 'file');
  await using run = train.fit(model, {
    data,
    epochs: 1,
    optimizer,
    callbacks: [record({ dir: join(process.execPath, dir) })],
  });
  await assert.rejects(
    run.result,
    (error: AnnealError) => error.code === 'E_IO' && /expected a folder/.test(error.message),
  );
});

test('progress: a callback tells steps, epochs and warnings', async () => {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  using model = netOf();
  const warner: train.Callback = { name: 'warner', onEpoch: (_event, run) => run.warn('mind the gap') };
  const callbacks = [progress({ stream, interval: 1e9 }), warner];
  await using run = train.fit(model, { data, epochs: 2, optimizer, callbacks });
  await run.result;
  const lines = text.trimEnd().split('\n');
  assert.match(
    lines[0] ?? '',
    /^epoch 1\/2 {2}16% {2}[\d,]+ samples\/s {2}loss \d\.\d+ {2}accuracy \d+\.\d\d% {2}lr 0\.1000$/,
  );
  assert.match(lines[1] ?? '', /^ +epoch +loss +accuracy +lr +time +samples\/s$/);
  assert.match(lines[3] ?? '', /^ +1\/2 +\d\.\d+ /);
  assert.equal(lines[4], 'warning: mind the gap');
  assert.equal(lines.length, 7);
});

test('filters of a first convolution as an image, from the least weight to the greatest', () => {
  // Two filters of 1 x 2 weights: [-1, 1] and [0, 3].
  const image = filterImage([1, 2, 1, 2], Float32Array.of(-1, 0, 1, 3));
  assert.ok(image);
  assert.deepEqual([image.width, image.height, image.channels], [2 * 14 - 2, 6, 1]);
  const row = [...image.data.subarray(0, image.width)];
  const run = (value: number, length: number): number[] => new Array<number>(length).fill(value);
  assert.deepEqual(row, [...run(0, 6), ...run(128, 6), ...run(255, 2), ...run(64, 6), ...run(255, 6)]);
  assert.equal(filterImage([3, 3, 16, 2], new Float32Array(288)), null);
  assert.equal(filterImage([4, 4], new Float32Array(16)), null);
  assert.equal(filterImage([3, 3, 3, 4], new Float32Array(108))?.channels, 3);
});

test('large parameters are sampled evenly', () => {
  assert.equal(sampled(new Float32Array(1 << 16)).length, 1 << 16);
  const few = sampled(Float32Array.from({ length: 200_000 }, (_, i) => i));
  assert.deepEqual([few.length, few[0], few[1], few.at(-1)], [50_000, 0, 4, 199_996]);
});
