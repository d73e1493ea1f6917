import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ProgressOptions, TrainingProgress } from '../../src/cli/progress.js';
import type { EpochRecord, StepRecord } from '../../src/report/run_report.js';
import { tableHead, tableRow } from '../../src/report/text_table.js';

class Screen extends Writable {
  text = '';
  readonly columns = 130;

  constructor(readonly isTTY: boolean) {
    super({ decodeStrings: false });
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk;
    done();
  }
}

const step = (index: number): StepRecord => ({
  step: index,
  loss: 1 / index,
  accuracy: 0.5,
  lr: 0.1,
  imagesPerSecond: 1000,
});
const epoch: EpochRecord = {
  epoch: 1,
  loss: 0.25,
  accuracy: 0.9,
  valLoss: 0.125,
  valAccuracy: 0.95,
  emaValAccuracy: 0.96,
  lr: 0.1,
  seconds: 65,
  imagesPerSecond: 12345.6,
};

test('progress: plain lines, at most one an interval, where there is no terminal', () => {
  const stream = new Screen(false);
  let time = 0;
  const options: ProgressOptions = { epochs: 2, stepsPerEpoch: 10, ema: true, stream, interval: 3000, now: () => time };
  const progress = new TrainingProgress(options);
  progress.startEpoch(1);
  for (let index = 1; index <= 10; index += 1) {
    time += 1000;
    progress.step(step(index), index);
  }
  progress.message('warning: loss is high');
  progress.endEpoch(epoch);
  progress.stop();
  assert.deepEqual(stream.text.split('\n'), [
    '  epoch      loss  accuracy  val loss  val accuracy  ema accuracy        lr     time  images/s',
    '───────  ────────  ────────  ────────  ────────────  ────────────  ────────  ───────  ────────',
    'epoch 1/2  30%  1,000 images/s  loss 0.3333  accuracy 50.00%  lr 0.1000  0:17 left',
    'epoch 1/2  60%  1,000 images/s  loss 0.1667  accuracy 50.00%  lr 0.1000  0:14 left',
    'epoch 1/2  90%  1,000 images/s  loss 0.1111  accuracy 50.00%  lr 0.1000  0:11 left',
    'warning: loss is high',
    '    1/2    0.2500    90.00%    0.1250        95.00%        96.00%    0.1000     1:05    12,346',
    '',
  ]);
});

test('progress: without steps per epoch it counts', () => {
  const stream = new Screen(false);
  let time = 0;
  const progress = new TrainingProgress({ epochs: 2, stepsPerEpoch: undefined, stream, interval: 1, now: () => time });
  progress.startEpoch(2);
  time = 5;
  progress.step({ step: 9, loss: Number.NaN, lr: 0 }, 4);
  assert.equal(stream.text.split('\n').at(-2), 'epoch 2/2 step 4  loss NaN  lr 0');
});

test('progress: a bar on a terminal, gone when the run stops', async () => {
  const stream = new Screen(true);
  {
    using progress = new TrainingProgress({ epochs: 1, stepsPerEpoch: 4, stream });
    progress.startEpoch(1);
    progress.step(step(1), 1);
    progress.step(step(2), 2);
    await sleep(300);
    assert.match(stream.text, /epoch 1\/1 ━{16}─{16} {2}50% {2}1,000 images\/s {2}loss 0\.5000/);
    progress.message('note');
    assert.match(stream.text, /note\n/);
    progress.endEpoch(epoch);
  }
  const after = stream.text;
  await sleep(300);
  assert.equal(stream.text, after, 'nothing is drawn any more');
  assert.match(after, / {3}1\/1 .* 12,346\n$/);
});

test('table: columns keep their width; longer cells are printed whole', () => {
  assert.equal(tableHead(['n', 'loss'], [3, 6]), '  n    loss\n───  ──────');
  assert.equal(tableRow(['1', '0.5'], [3, 6]), '  1     0.5');
  assert.equal(tableRow(['12345', '–'], [3, 6]), '12345       –');
});
