// The parts of `npm run bench:tfjs`, on a few steps.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type JobOptions, prepareJob } from '../../bench/tfjs/job.js';
import { type Comparison, renderStory, rows } from '../../bench/tfjs/page.js';
import { annealCommand, compareLosses, runSide, type Side, tfjsCommand } from '../../bench/tfjs/side.js';
import { installPeers } from '../../src/bench/peer_install.js';

const options: JobOptions = { net: 'mlp', backend: 'wasm', batch: 8, steps: 6, threads: 1, seed: 3 };

const side = (name: string, losses: number[], ms: number[]): Side => ({
  name,
  version: '1',
  detail: `${name} <detail>`,
  losses,
  ms,
  startMb: 100,
  peakMb: name === 'anneal' ? 120 : 160,
  loopDelayMs: 2,
});

test('loss curves of the same training agree, others do not', () => {
  const a = Array.from({ length: 20 }, (_, i) => 1 / (i + 1));
  assert.deepEqual(compareLosses(a, a), { largest: 0, step: 0, early: 0, agree: true });
  const late = a.map((loss, i) => loss + (i === 15 ? 5e-3 : i === 4 ? 1e-6 : 0));
  const found = compareLosses(a, late);
  assert.deepEqual([found.step, found.agree], [15, true]);
  assert.ok(Math.abs(found.largest - 5e-3) < 1e-9 && Math.abs(found.early - 1e-6) < 1e-9);
  const wrong = [
    a.map((loss, i) => loss + (i === 4 ? 1e-4 : 0)),
    a.map((loss, i) => loss + (i === 15 ? 0.1 : 0)),
    a.map((loss, i) => (i === 15 ? Number.NaN : loss)),
    a.slice(0, 19),
    [...a, 0],
    [],
  ];
  for (const other of wrong) assert.equal(compareLosses(a, other).agree, false, String(other));
});

test('a job is the same for the same seed, and its files go', async () => {
  const files = ['imagesPath', 'labelsPath', 'weightsPath'] as const;
  const read = async (seed: number) => {
    using prepared = await prepareJob({ ...options, seed });
    const { job } = prepared;
    return { job, contents: files.map((name) => readFileSync(job[name])) };
  };
  const [a, b, c] = [await read(3), await read(3), await read(4)];
  assert.deepEqual(
    a.contents.map(({ length }) => length),
    [8 * 6 * 784, 8 * 6, 4 * (784 * 128 + 128 + 1280 + 10)],
  );
  assert.deepEqual(a.contents, b.contents);
  for (const [i, content] of a.contents.entries()) assert.notDeepEqual(content, c.contents[i]);
  assert.ok(a.contents[1]?.every((label) => label < 10));
  for (const name of files) assert.equal(existsSync(a.job[name]), false);
  assert.deepEqual(
    a.job.weights.map(({ shape, offset }) => [...shape, offset]),
    [
      [784, 128, 0],
      [128, 784 * 128],
      [128, 10, 785 * 128],
      [10, 785 * 128 + 1280],
    ],
  );
});

test('the rows and the page of a comparison', async () => {
  const comparison: Comparison = {
    job: { ...options, lr: 0.05, momentum: 0.9 },
    anneal: side('anneal', [2, 1], [4, 4]),
    tfjs: side('tfjs-wasm', [2, 1], [8, 8]),
    agreement: compareLosses([2, 1], [2, 1]),
  };
  assert.deepEqual(rows(comparison), [
    ['images/s, median step', '2,000', '1,000', '2.00x'],
    ['ms a step', '4.000', '8.000', '2.00x'],
    ['peak memory, MB', '120', '160', '1.33x'],
    ['of it while training, MB', '20', '60', '3.00x'],
    ['event loop late by at most, ms', '2.000', '2.000', '1.00x'],
    ['last loss', '1.000000', '1.000000', ''],
  ]);
  const support = [{ use: 'conv2d, gradient', lacks: { cpu: [], wasm: ['Conv2DBackpropFilter'] } }];
  const page = await renderStory({ comparisons: [comparison], notes: ['cnn: <none>'], support, machine: { cpu: 'x' } });
  assert.match(page, /anneal &lt;detail&gt;/);
  assert.match(page, /cnn: &lt;none&gt;/);
  assert.match(page, /<td>no Conv2DBackpropFilter<\/td>/);
  assert.match(page, /id="loss0"/);
  assert.match(page, /the losses agree/);
  assert.doesNotMatch(page, /(src|href)=/, 'the page needs no network');
});

test('our side trains, the same with any number of threads', async () => {
  using prepared = await prepareJob(options);
  const runs = [];
  for (const threads of [1, 2]) runs.push(await runSide('anneal', annealCommand, { ...prepared.job, threads }));
  const [one, two] = runs;
  assert.ok(one && two && !('missing' in one) && !('missing' in two), JSON.stringify(runs));
  assert.equal(one.losses.length, options.steps);
  assert.deepEqual(one.losses, two.losses);
  assert.ok(one.losses.every((loss) => loss > 0.5 && loss < 4));
  assert.ok(one.peakMb >= one.startMb && one.startMb > 20);
});

test('a side that is not there or breaks is named', async () => {
  using prepared = await prepareJob(options);
  const run = (...command: string[]) => runSide('x', command, prepared.job);
  assert.match(JSON.stringify(await run('anneal-no-such-program')), /"missing":"spawn anneal-no-such-program ENOENT"/);
  const says = (script: string) => run(process.execPath, '-e', script);
  assert.match(JSON.stringify(await says('console.log("Hi")')), /"missing":"printed Hi"/);
  assert.match(JSON.stringify(await says('console.log(`{"missing":"no adapter"}`)')), /"missing":"no adapter"/);
  const dies = await says('console.log(`{"step":0,"loss":1,"ms":1}`); console.error("why"); process.exitCode = 2');
  assert.match(JSON.stringify(dies), /"missing":"ended with status 2 after 1 steps: why"/);
});

for (const net of ['mlp', 'cnn'] as const)
  test(`tfjs, if it is here, trains the same ${net}`, async (t) => {
    const absent = await installPeers({ install: false });
    if (absent !== null) return t.skip(absent);
    // tfjs-wasm cannot train the CNN, and tfjs-cpu needs seconds for an image.
    const part = net === 'mlp' ? options : { ...options, net, backend: 'cpu', batch: 1, steps: 2 };
    using prepared = await prepareJob(part);
    const anneal = await runSide('anneal', annealCommand, prepared.job);
    const tfjs = await runSide('tfjs', tfjsCommand, prepared.job);
    assert.ok(!('missing' in anneal) && !('missing' in tfjs), JSON.stringify([anneal, tfjs]));
    const agreement = compareLosses(anneal.losses, tfjs.losses);
    assert.ok(agreement.agree, JSON.stringify([agreement, anneal.losses, tfjs.losses]));
  });
