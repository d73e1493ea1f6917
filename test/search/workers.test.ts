// Trials side by side in worker threads, each with its share of the threads.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as search from '../../src/search/index.js';
import { rejects } from '../support/refuses.js';
import objective from './objective.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-workers-'));
after(() => rmSync(folder, { recursive: true }));
const space = { lr: search.float(0.01, 1, { log: true }), units: search.int(2, 16) };
const module = new URL('./objective.ts', import.meta.url);
const log = join(folder, 'log.jsonl');

test('two workers make the trials that one thread makes, to the same bits, with half of the threads each', async () => {
  const options = { space, trials: 4, seed: 4, threads: 4 };
  const here = await search.random({ ...options, objective });
  const side = await search.random({ ...options, objective: module, workers: 2, log });
  const values = ({ trials }: search.SearchResult) => trials.map(({ number, state, value }) => [number, state, value]);
  assert.deepEqual(values(side), values(here));
  assert.equal(side.best?.number, here.best?.number);
  for (const { metrics } of side.trials) assert.equal(metrics.threads, 2);
  assert.ok(new Set(side.trials.map(({ metrics }) => metrics.thread)).size === 2);
  // Taken up without workers.
  const again = await search.random({ ...options, objective, log });
  assert.deepEqual(again.trials, side.trials);
});

test('a worker that dies fails its trial; the others go on, and reports are answered', async () => {
  const deadly = { ...space, mode: search.categorical(['train', 'exit', 'throw', 'report']) };
  const pruner: search.Pruner = { prune: (reports) => reports.length === 3 };
  const { trials } = await search.grid({ space: deadly, points: 1, objective: module, pruner });
  assert.deepEqual(
    trials.map(({ parameters, state }) => [parameters.mode, state]),
    [
      ['train', 'complete'],
      ['exit', 'failed'],
      ['throw', 'failed'],
      ['report', 'pruned'],
    ],
  );
  assert.match(trials[1]?.error ?? '', /the worker ended with code 3/);
  assert.match(trials[2]?.error ?? '', /Error: thrown in a worker/);
  assert.deepEqual(
    trials[3]?.reports.map(({ value }) => value),
    [0, 1, 2],
  );
});

test('an aborted search ends its workers in the middle of a trial', async () => {
  const controller = new AbortController();
  const endless = { ...space, mode: search.categorical(['endless']) };
  const pruner: search.Pruner = {
    prune() {
      controller.abort();
      return false;
    },
  };
  const { trials, stopReason } = await search.random({
    space: endless,
    trials: 3,
    objective: module,
    pruner,
    signal: controller.signal,
  });
  assert.deepEqual([trials.length, stopReason], [0, 'aborted']);
});

test('a module without an objective is refused', async () => {
  const path = join(folder, 'empty.mjs');
  writeFileSync(path, 'export const objective = 1;\n');
  await rejects(
    search.random({ space, trials: 2, objective: path }),
    'E_ARGUMENT',
    /to export the objective by default/,
  );
  writeFileSync(join(folder, 'broken.mjs'), 'throw new Error("broken at the top");\n');
  const broken = search.random({ space, trials: 2, objective: join(folder, 'broken.mjs') });
  await rejects(broken, 'E_ARGUMENT', /broken at the top/);
});
