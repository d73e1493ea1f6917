// `anneal search`.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bestOf, readLog } from '../../src/search/index.js';
import { type ChildOptions, runChild } from '../support/child.js';

const folder = mkdtempSync(join(tmpdir(), 'anneal-search-command-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const config = 'test/cli/fixtures/small.search.ts';
const anneal = (args: readonly string[], options?: ChildOptions) => runChild('src/cli/main.ts', args, options);

const trialsOf = async (log: string) =>
  (await readLog(log)).trials.map(({ number, state, parameters, value }) => ({ number, state, parameters, value }));

test('a search is shown, kept, drawn and gone on with; workers find the same', async () => {
  const [log, svg, side] = ['log.jsonl', 'search.svg', 'side.jsonl'].map((name) => join(folder, name));
  assert.ok(log && svg && side);
  const first = await anneal(['search', config, '--log', log, '--svg', svg]);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /trial {5}state {6}value {10}x {7}sign {5}time\n/);
  assert.match(first.stderr, /\n {6}Error: no luck\n/);
  const { trials } = await readLog(log);
  const best = bestOf(trials, 'maximize');
  assert.equal(best?.value, Math.max(...trials.flatMap(({ value }) => value ?? [])));
  assert.match(first.stdout, /^Device cpu: .*\. Log .*log\.jsonl\.\n\n5 trials complete, 0 pruned, 1 failed\.\n/);
  assert.match(first.stdout, new RegExp(`\nBest: [\\d.]+ by trial ${best?.number}: x -?[\\d.]+, sign (plus|minus)\n`));
  assert.match(readFileSync(svg, 'utf8'), /^<svg /);

  const more = await anneal(['search', config, '--log', log, '--trials', '8']);
  assert.equal(more.code, 0, more.stderr);
  assert.match(more.stderr, /\n6 of 8 trials are in the log\n/);
  const { trials: all } = await readLog(log);
  assert.deepEqual([all.length, all.slice(0, 6)], [8, trials]);

  const workers = await anneal(['search', config, '--log', side, '--trials', '8', '--workers', '2']);
  assert.equal(workers.code, 0, workers.stderr);
  assert.deepEqual(await trialsOf(side), await trialsOf(log));
});

test('after Ctrl-C the same command goes on', async () => {
  const log = join(folder, 'broken.jsonl');
  let sent = false;
  const interrupted = await anneal(['search', config, '--log', log, '--trials', '30'], {
    env: { ANNEAL_TEST_SLOW_TRIALS: '1' },
    onOutput: (child, { stderr }) => {
      if (sent || !/ 1\*? {2}complete/.test(stderr)) return;
      sent = true;
      child.kill('SIGINT');
    },
  });
  assert.equal(interrupted.code, 130, interrupted.stderr);
  assert.match(interrupted.stdout, /Interrupted\. The same command goes on\.\n$/);
  const before = (await readLog(log)).trials;
  assert.ok(before.length >= 2 && before.length < 30);
  const { code, stderr } = await anneal(['search', config, '--log', log, '--trials', '30']);
  assert.equal(code, 0, stderr);
  const after = (await readLog(log)).trials;
  assert.deepEqual(after.slice(0, before.length), before);
  assert.equal(after.length, 30);
});

test('what cannot be searched is refused with a reason', async () => {
  const refused = async (args: readonly string[], message: RegExp): Promise<void> => {
    const { code, stderr } = await anneal(['search', ...args]);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /, 'no stack trace');
  };
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `export default ${text};\n`);
    return path;
  };
  await refused([join(folder, 'none.ts')], /E_IO search: expected a configuration, found no file/);
  await refused([file('empty.mjs', '{}')], /E_ARGUMENT .*expected a default export by search\.defineSearch/);
  const categorical = "space: { a: { kind: 'categorical', choices: [1, 2] } }";
  const grid = file('grid.mjs', `{ ${categorical}, objective: ({ a }) => NaN }`);
  await refused([grid, '--trials', '3'], /E_ARGUMENT .*expected a random search for --trials 3, received a grid/);
  await refused(
    [file('both.mjs', `{ ${categorical}, objective: () => 1, trials: 2, points: 2 }`)],
    /E_ARGUMENT .*trials of a random search or points of a grid, received both/,
  );
  const log = join(folder, 'log of nothing', 'grid.jsonl');
  const nothing = await anneal(['search', grid, '--log', log, '--svg', join(folder, 'none.svg')]);
  assert.equal(nothing.code, 1);
  assert.match(nothing.stdout, /\n0 trials complete, 0 pruned, 2 failed\.\n$/);
  assert.ok(existsSync(log) && !existsSync(join(folder, 'none.svg')));
});
