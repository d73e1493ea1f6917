// `anneal report`: the page is made anew, and the run printed as a table.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { summary } from '../../src/cli/report.js';
import { MetricsLog } from '../../src/report/index.js';
import { temporaryFolder } from '../io/host.js';
import { epoch, start, step, stop } from '../report/log.js';
import { runChild } from '../support/child.js';

test('report: a summary of epochs, the best one marked', () => {
  const run = {
    title: 'first',
    config: {},
    steps: [step(1), step(2)],
    epochs: [
      epoch(1, { metrics: { loss: 1, val_accuracy: 0.5 } }),
      epoch(2, { metrics: { loss: 0.5, val_accuracy: 0.75 }, lr: 0.01, seconds: 61, samplesPerSecond: 12345 }),
    ],
    warnings: [{ step: 1, message: 'x' }],
    stop: stop(4),
  };
  assert.deepEqual(summary(run).split('\n'), [
    'first',
    '4 steps, 2 epochs, 1:02, ended: completed, 1 warning',
    '',
    'epoch    loss  val accuracy       lr   time  samples/s',
    '─────  ──────  ────────────  ───────  ─────  ─────────',
    '    1   1.000        50.00%   0.1000  1.0 s        100',
    '    2  0.5000        75.00%  0.01000   1:01     12,345  best',
    '',
  ]);
  const many = { ...run, epochs: Array.from({ length: 30 }, (_, i) => epoch(i + 1)) };
  assert.equal(summary(many).split('\n').length, 3 + 2 + 1 + 20 + 1, 'the best and the last 20');
  const running = {
    title: 'second',
    config: {},
    steps: [step(4, { metrics: { loss: 0.25, accuracy: 1 } })],
    epochs: [],
  };
  assert.equal(summary(running), 'second\n4 steps, 0 epochs, has not ended\nloss 0.2500, accuracy 100.00%\n');
});

test('anneal report: writes the page of a run that was killed', async (context) => {
  const dir = await temporaryFolder(context);
  {
    await using log = await MetricsLog.open(join(dir, 'metrics.jsonl'));
    for (const event of [start, step(1), epoch(1)]) log.append(event);
  }
  const { code, stdout, stderr } = await runChild('src/cli/main.ts', ['report', dir]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /2 steps, 1 epoch, 1\.0 s, has not ended\n(.*\n)*Report {2}.*report\.html/);
  assert.match(await readFile(join(dir, 'report.html'), 'utf8'), /<strong>not yet<\/strong>/);
  const none = await runChild('src/cli/main.ts', ['report', join(dir, 'none')]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^E_IO .*none.metrics\.jsonl: expected the log of a run/);
  assert.doesNotMatch(none.stderr, /\n\s+at /, 'no stack trace');
});
