// Trials in this thread: the best one, failures, the log and its resumption, pruning, aborts, the table and the picture.
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, test } from 'node:test';
import * as nn from '../../src/nn/index.js';
import { sgd } from '../../src/optim/index.js';
import * as search from '../../src/search/index.js';
import * as train from '../../src/train/index.js';
import { refuses, rejects } from '../support/refuses.js';
import { data, validation } from '../train/setup.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-search-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const logPath = (): string => join(folder, `${files++}.jsonl`);

const space = { x: search.float(-2, 2), y: search.float(0.01, 100, { log: true }) };
/** Least at x = 1, y = 1. */
const bowl = ({ x, y }: { x: number; y: number }): number => (x - 1) ** 2 + Math.log10(y) ** 2;

test('random search finds the best of what it drew; the same seed the same', async () => {
  const options = { space, objective: bowl, trials: 30, seed: 3 };
  const { trials, best, stopReason } = await search.random(options);
  assert.equal(stopReason, 'completed');
  assert.deepEqual(
    trials.map(({ number }) => number),
    Array.from({ length: 30 }, (_, k) => k),
  );
  const values = trials.map(({ parameters }) => bowl(parameters));
  assert.deepEqual(
    trials.map(({ value }) => value),
    values,
  );
  assert.equal(best?.value, Math.min(...values));
  assert.ok(Math.min(...values) < 0.5);
  const again = await search.random({ ...options, direction: 'maximize' });
  assert.equal(again.best?.value, Math.max(...values));
  assert.deepEqual(
    again.trials.map(({ parameters }) => parameters),
    trials.map(({ parameters }) => parameters),
  );
});

test('grid search looks at every combination', async () => {
  const { trials, best } = await search.grid({ space, objective: bowl, points: { x: 5, y: 3 } });
  assert.equal(trials.length, 15);
  assert.deepEqual([best?.parameters.x, best?.value], [1, 0]);
  assert.ok(Math.abs((best?.parameters.y ?? 0) - 1) < 1e-12);
});

test('a trial that fails is kept with its error; the search goes on, or ends when asked to', async () => {
  const objective = async ({ x }: { x: number }, { number }: search.Trial): Promise<search.Outcome> => {
    if (number === 1) throw new Error('diverged');
    if (number === 2) return Number.NaN;
    return { value: x, metrics: { twice: 2 * x } };
  };
  const { trials, best } = await search.random({ space, objective, trials: 4 });
  assert.deepEqual(
    trials.map(({ state }) => state),
    ['complete', 'failed', 'failed', 'complete'],
  );
  assert.match(trials[1]?.error ?? '', /Error: diverged\n {4}at /);
  assert.match(trials[2]?.error ?? '', /to give a number, received NaN/);
  assert.equal(trials[3]?.metrics.twice, 2 * (trials[3]?.parameters.x ?? Number.NaN));
  assert.ok(best?.number === 0 || best?.number === 3);
  const stopped = await search.random({ space, objective, trials: 4, stopOnFailure: true });
  assert.deepEqual([stopped.trials.length, stopped.stopReason], [2, 'failed']);
});

test('a search is gone on with from its log: no trial twice, more when asked for, a torn line made anew', async () => {
  const log = logPath();
  const made: number[] = [];
  const objective = ({ x, y }: { x: number; y: number }, { number }: search.Trial): number => {
    made.push(number);
    return number === 4 ? Number.NEGATIVE_INFINITY : bowl({ x, y });
  };
  const options = { space, objective, seed: 5, log };
  const first = await search.random({ ...options, trials: 6 });
  // Killed within a line.
  appendFileSync(log, '{"type":"trial","number":6,"sta');
  const second = await search.random({ ...options, trials: 9 });
  assert.deepEqual(made, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(second.trials.slice(0, 6), first.trials);
  assert.equal(second.best?.number, 4);
  const kept = await search.readLog(log);
  assert.deepEqual(kept.trials, second.trials);
  assert.equal(kept.direction, 'minimize');
  // Lost lines, here all but head and two trials, are made anew to the same values.
  const lines = readFileSync(log, 'utf8').split('\n');
  writeFileSync(log, [lines[0], lines[3], lines[1], ''].join('\n'));
  const third = await search.random({ ...options, trials: 9 });
  assert.deepEqual(made.slice(9), [1, 3, 4, 5, 6, 7, 8]);
  const untimed = (trials: readonly search.TrialRecord[]) => trials.map(({ seconds, ...rest }) => rest);
  assert.deepEqual(untimed(third.trials), untimed(second.trials));
});

test('failed trials of a log are repeated when asked for', async () => {
  const log = logPath();
  let fails = true;
  const objective = (_: object, { number }: search.Trial): number => {
    if (fails && number === 1) throw new Error('no memory');
    return number;
  };
  await search.random({ space, objective, trials: 3, log });
  fails = false;
  const states = async (retryFailed: boolean) =>
    (await search.random({ space, objective, trials: 3, log, retryFailed })).trials.map(({ state }) => state);
  assert.deepEqual(await states(false), ['complete', 'failed', 'complete']);
  assert.deepEqual(await states(true), ['complete', 'complete', 'complete']);
  assert.deepEqual(
    (await search.readLog(log)).trials.map(({ state }) => state),
    ['complete', 'complete', 'complete'],
  );
});

test('a log of another search is refused, and so is what is no log', async () => {
  const log = logPath();
  const options = { space, objective: bowl, trials: 2, log };
  await search.random({ ...options, seed: 1 });
  const before = readFileSync(log, 'utf8');
  await rejects(search.random({ ...options, seed: 2 }), 'E_ARGUMENT', /the log of this search/);
  await rejects(search.random({ ...options, seed: 1, direction: 'maximize' }), 'E_ARGUMENT', /the log of this search/);
  await rejects(search.grid({ space, objective: bowl, points: 2, log }), 'E_ARGUMENT', /the log of this search/);
  assert.equal(readFileSync(log, 'utf8'), before);
  writeFileSync(log, before.replace(/"parameters":{"x":[^,]+/, '"parameters":{"x":0.5'));
  await rejects(search.random({ ...options, seed: 1 }), 'E_FORMAT', /expected trial 0 with/);
  writeFileSync(log, 'hello\n');
  await rejects(search.random(options), 'E_FORMAT', /:1: expected a line of JSON/);
  await rejects(search.readLog(join(folder, 'none')), 'E_IO', /none/);
  writeFileSync(log, '');
  await rejects(search.readLog(log), 'E_FORMAT', /empty/);
});

test('an aborted search drops the trial under way and is gone on with', async () => {
  const log = logPath();
  const controller = new AbortController();
  const objective = async ({ x }: { x: number }, { number, signal }: search.Trial): Promise<number> => {
    if (number === 2 && !signal.aborted) {
      controller.abort();
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(signal.aborted);
    }
    return x;
  };
  const options = { space, objective, trials: 5, log };
  const cut = await search.random({ ...options, signal: controller.signal });
  assert.deepEqual([cut.trials.length, cut.stopReason], [2, 'aborted']);
  const whole = await search.random({ ...options, objective: ({ x }) => x });
  assert.equal(whole.trials.length, 5);
});

test('the median rule gives up what is worse than half of the others at its step', async () => {
  const pruner = search.medianPruner({ startupTrials: 3, warmupSteps: 1 });
  const steps: number[] = [];
  // Trial k reports k at every step: from the fourth on all are worse than the median of those before.
  const objective = async (_: object, trial: search.Trial): Promise<number> => {
    for (let step = 0; step < 4; step++) {
      steps[trial.number] = step;
      if (await trial.report(trial.number, step)) return -1;
    }
    return trial.number;
  };
  const { trials, best } = await search.random({ space, objective, trials: 5, pruner });
  assert.deepEqual(
    trials.map(({ state, value }) => [state, value]),
    [
      ['complete', 0],
      ['complete', 1],
      ['complete', 2],
      ['pruned', 3],
      ['pruned', 4],
    ],
  );
  assert.deepEqual(steps, [3, 3, 3, 1, 1]);
  assert.deepEqual(trials[3]?.reports, [
    { step: 0, value: 3 },
    { step: 1, value: 3 },
  ]);
  assert.equal(best?.number, 0);
  // The other way round none is.
  const rising = await search.random({ space, objective, trials: 5, pruner, direction: 'maximize' });
  assert.ok(rising.trials.every(({ state }) => state === 'complete'));
  // NaN on the way is worse than anything.
  assert.equal(pruner.prune([{ step: 1, value: Number.NaN }], trials, 'minimize'), true);
  refuses(() => search.medianPruner({ startupTrials: 0 }), 'E_ARGUMENT', /startupTrials/);
});

test('training runs report their epochs and are ended by the pruner', async () => {
  const epochs: number[] = [];
  const never: search.Pruner = { prune: (reports) => reports.length === 2 };
  const objective = async ({ lr }: { lr: number }, trial: search.Trial): Promise<number> => {
    using model = nn.sequential([nn.dense({ units: 3 })]);
    const callbacks = [search.reporting(trial, { monitor: 'val_loss' })];
    await using run = train.fit(model, { data, validation, epochs: 5, optimizer: sgd({ lr }), callbacks });
    const { history, stopReason } = await run.result;
    epochs.push(history.length);
    assert.equal(stopReason, 'earlyStopping');
    return history.at(-1)?.metrics.val_loss ?? Number.NaN;
  };
  const { trials } = await search.random({
    space: { lr: search.float(0.01, 0.1, { log: true }) },
    objective,
    trials: 1,
    pruner: never,
  });
  assert.deepEqual(epochs, [2]);
  assert.equal(trials[0]?.state, 'pruned');
  assert.equal(trials[0]?.value, trials[0]?.reports[1]?.value);
});

/** A stream that keeps what is written to it. */
function keeping(isTTY: boolean): { readonly stream: search.TableStream; text(): string } {
  const pieces: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      pieces.push(String(chunk));
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY, columns: 50 }), text: () => pieces.join('') };
}

test('the table has a row for each trial, and a line of what is under way on a terminal', async () => {
  const options = { space, objective: bowl, log: logPath() };
  const [first, second, live] = [keeping(false), keeping(false), keeping(true)];
  await search.random({ ...options, trials: 2, show: first.stream });
  assert.match(first.text(), /^trial {5}state {6}value {10}x {10}y {5}time\n─+/);
  assert.match(first.text(), /\n {3}0\* {2}complete {2}/);
  assert.equal(first.text().trimEnd().split('\n').length, 4);
  assert.doesNotMatch(first.text(), /\r/);
  await search.random({ ...options, trials: 3, show: second.stream });
  assert.match(second.text(), /\n2 of 3 trials are in the log\n/);
  const fewer = keeping(false);
  await search.random({ ...options, trials: 1, show: fewer.stream });
  assert.match(fewer.text(), /\n3 of 3 trials are in the log\n$/);
  assert.equal(second.text().trimEnd().split('\n').length, 4);

  await search.random({ ...options, log: logPath(), trials: 2, show: live.stream });
  assert.match(live.text(), /\n0\/2 trials, 1 running, 0:00\r/);
  const lines = live.text().split(/[\r\n]/);
  // Cut to the terminal's width, and gone at the end.
  assert.ok(
    lines.some((line) => /1\/2 trials, 1 running, best .*\(trial 0\), 0:00$/.test(line)),
    live.text(),
  );
  assert.ok(live.text().endsWith('\r\u001b[2K'));
});

test('the picture has a panel for each parameter and a point for each trial', async () => {
  const mixed = {
    ...space,
    act: search.categorical(['relu', 'gelu']),
    slope: search.when({ act: 'gelu' }, search.float(0, 1)),
  };
  const objective = ({ x }: { x: number }, { number }: search.Trial): number => (number === 3 ? Number.NaN : x);
  const { trials, best } = await search.random({ space: mixed, objective, trials: 12 });
  const picture = search.svg(trials, { title: 'a < b', label: 'loss' });
  const gelus = trials.filter(({ parameters, state }) => parameters.act === 'gelu' && state === 'complete').length;
  assert.equal([...picture.matchAll(/<circle /g)].length, 11 * 3 + gelus);
  assert.equal([...picture.matchAll(/class="c1"/g)].length, best?.parameters.act === 'gelu' ? 4 : 3);
  assert.match(picture, /<title>a &lt; b<\/title>/);
  for (const name of ['x', 'y', 'act', 'slope'])
    assert.match(picture, new RegExp(`text-anchor="middle">${name}</text>`));
  // y spans four powers of ten, so its axis is logarithmic.
  assert.match(picture, />0\.1<\/text>[\s\S]*>10<\/text>/);
  assert.doesNotMatch(picture, /NaN|Infinity|undefined/);
  const one = search.svg(trials, { parameters: ['x'] });
  assert.equal([...one.matchAll(/<circle /g)].length, 11);
  refuses(() => search.svg([]), 'E_ARGUMENT', /finite value/);
});

test('options that make no sense are refused', async () => {
  const options = { space, objective: bowl, trials: 1 };
  await rejects(search.random({ ...options, workers: 2 }), 'E_ARGUMENT', /a module for workers.*received a function/);
  await rejects(search.random({ ...options, threads: 0 }), 'E_ARGUMENT', /threads/);
  await rejects(search.random({ ...options, trials: -1 }), 'E_ARGUMENT', /trials/);
  await rejects(search.random({ ...options, objective: join(folder, 'none.js') }), 'E_ARGUMENT', /found no file/);
});
