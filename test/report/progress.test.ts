import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProgressOptions, TrainingProgress } from '../../src/report/progress.js';
import { Sparkline } from '../../src/report/sparkline.js';
import { tableHead, tableRow } from '../../src/report/text_table.js';
import type { EpochEvent, StepEvent } from '../../src/train/index.js';

class Screen extends Writable {
  text = '';

  constructor(
    readonly isTTY: boolean,
    readonly columns = 130,
  ) {
    super({ decodeStrings: false });
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    done();
  }
}

const step = (index: number, more: Partial<StepEvent> = {}): StepEvent => ({
  type: 'step',
  step: index,
  totalSteps: 20,
  epoch: 0,
  epochs: 2,
  batch: index - 1,
  size: 100,
  lr: 0.1,
  metrics: { loss: 1 / index, accuracy: 0.5 },
  ms: 100,
  ...more,
});
const epoch: EpochEvent = {
  type: 'epoch',
  epoch: 0,
  epochs: 2,
  step: 10,
  metrics: { accuracy: 0.9, loss: 0.25, val_loss: 0.125, val_accuracy: 0.95, ema_val_accuracy: 0.96 },
  lr: 0.1,
  seconds: 65,
  samplesPerSecond: 12345.6,
};

test('progress: plain lines, at most one an interval, where there is no terminal', () => {
  const stream = new Screen(false);
  let time = 0;
  const options: ProgressOptions = { stream, interval: 3000, now: () => time };
  const progress = new TrainingProgress(options);
  for (let index = 1; index <= 10; index += 1) {
    time += 1000;
    progress.step(step(index));
  }
  progress.message('warning: loss is high');
  progress.endEpoch(epoch);
  progress.endEpoch({ ...epoch, epoch: 1, metrics: { loss: Number.NaN } });
  progress.stop();
  assert.deepEqual(stream.text.split('\n'), [
    'epoch 1/2  10%  1,000 samples/s  loss 1.000  accuracy 50.00%  lr 0.1000',
    'epoch 1/2  40%  1,000 samples/s  loss 0.2500  accuracy 50.00%  lr 0.1000  0:16 left',
    'epoch 1/2  70%  1,000 samples/s  loss 0.1429  accuracy 50.00%  lr 0.1000  0:13 left',
    'epoch 1/2 100%  1,000 samples/s  loss 0.1000  accuracy 50.00%  lr 0.1000  0:10 left',
    'warning: loss is high',
    '   epoch      loss  accuracy  val loss  val accuracy  ema val accuracy        lr      time  samples/s',
    '────────  ────────  ────────  ────────  ────────────  ────────────────  ────────  ────────  ─────────',
    '     1/2    0.2500    90.00%    0.1250        95.00%            96.00%    0.1000      1:05     12,346',
    '     2/2       NaN         –         –             –                 –    0.1000      1:05     12,346',
    '',
  ]);
});

test('progress: without steps per epoch it counts', () => {
  const stream = new Screen(false);
  const progress = new TrainingProgress({ stream, now: () => 0 });
  progress.step(step(9, { totalSteps: undefined, epoch: 1, metrics: { loss: Number.NaN, mae: 12 }, lr: 0 }));
  assert.equal(stream.text, 'epoch 2/2 step 9  1,000 samples/s  loss NaN  mae 12.00  lr 0\n');
});

test('progress: a bar on a terminal, gone when the run stops', async () => {
  const stream = new Screen(true);
  {
    using progress = new TrainingProgress({ stream });
    progress.step(step(1, { epochs: 1, totalSteps: 4 }));
    progress.step(step(2, { epochs: 1, totalSteps: 4 }));
    await sleep(300);
    assert.match(
      stream.text,
      /epoch 1\/1 ━{12}─{12} {2}50% {2}1,000 samples\/s {2}loss 0\.5000 {2}█▁ {2}accuracy 50\.00%/,
    );
    progress.message('note');
    assert.match(stream.text, /note\n/);
    progress.endEpoch({ ...epoch, epochs: 1 });
  }
  const after = stream.text;
  await sleep(300);
  assert.equal(stream.text, after, 'nothing is drawn any more');
  assert.match(after, / {3}1\/1 .* 12,346\n$/);
});

test('progress: a narrow terminal has less of it, in one line', async () => {
  for (const [columns, line] of [
    [
      100,
      /epoch 1\/1 ━{6}─{5} {2}50% {2}1,000 samples\/s {2}loss 0\.5000 {2}█▁ {2}accuracy 50\.00% {2}lr 0\.1000 {2}0:0/,
    ],
    [60, /epoch 1\/1 ━{8}─{8} {2}50% {2}loss 0\.5000 {2}█▁ {2}0:00 left/],
    [20, /epoch 1\/1 ━{4}─{4}/],
  ] as const) {
    const stream = new Screen(true, columns);
    using progress = new TrainingProgress({ stream });
    progress.step(step(1, { epochs: 1, totalSteps: 4 }));
    progress.step(step(2, { epochs: 1, totalSteps: 4 }));
    await sleep(200);
    assert.match(stream.text, line, `${columns} columns`);
  }
});

test('progress: on a narrow terminal the table leaves columns out', () => {
  const heads = [130, 80, 50].map((columns) => {
    const stream = new Screen(true, columns);
    new TrainingProgress({ stream }).endEpoch(epoch);
    return stream.text.split('\n')[0]?.trim().split(/ {2,}/).join(', ');
  });
  assert.deepEqual(heads, [
    'epoch, loss, accuracy, val loss, val accuracy, ema val accuracy, lr, time, samples/s',
    'epoch, accuracy, val loss, val accuracy, ema val accuracy, samples/s',
    'epoch, val loss, val accuracy, ema val accuracy',
  ]);
});

test('sparkline: the whole curve in a few characters', () => {
  const drawn = (values: readonly number[], width = 4): string => {
    const line = new Sparkline(width);
    for (const value of values) line.add(value);
    return line.toString();
  };
  assert.equal(drawn([]), '');
  assert.equal(drawn([3]), '▁');
  assert.equal(drawn([100, 10, Number.NaN, 1]), '█▅▁', 'by logarithms');
  assert.equal(drawn([-1, 0, 1]), '▁▅█');
  assert.equal(drawn([1, 1, 2, 2, 3], 4), '▁█', 'pairs; the last waits for another');
  assert.equal(drawn([-2, -2, 0, 0, 2, 2, 4, 4]), '▁▃▆█');
  assert.equal(drawn(Array.from({ length: 10_000 }, (_, i) => i - 5000)).length, 4);
});

test('table: columns keep their width; longer cells are printed whole', () => {
  assert.equal(tableHead(['n', 'loss'], [3, 6]), '  n    loss\n───  ──────');
  assert.equal(tableRow(['1', '0.5'], [3, 6]), '  1     0.5');
  assert.equal(tableRow(['12345', '–'], [3, 6]), '12345       –');
});
