// A search that is killed at random moments, again and again, ends with the trials of one that never was.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deriveKey } from '../../src/random/philox.js';
import { bundled, runUntil } from '../support/killed.js';

const LEAST_KILLS = 3;

const endOf = (output: string): string => /^ended (.*)$/m.exec(output)?.[1] ?? assert.fail(`no end:\n${output}`);

for (const [how, workers] of [
  ['in its own thread', 0],
  ['with two workers', 2],
] as const) {
  test(`killed again and again, a search ${how} ends as one that never was`, { timeout: 180_000 }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'anneal-search-'));
    t.after(() => rm(folder, { recursive: true }));
    // Workers load modules, which a bundle has none of.
    const program =
      workers === 0
        ? [await bundled('test/search/killed_run.ts', t)]
        : ['--import', 'tsx', join('test', 'search', 'killed_run.ts')];
    const whole = await runUntil([...program, join(folder, 'whole.jsonl'), '0'], /^trial /);
    const seed = Number(process.env.ANNEAL_TEST_SEED ?? Date.now() % 2 ** 31);
    t.diagnostic(`ANNEAL_TEST_SEED=${seed}`);
    const log = join(folder, 'killed.jsonl');
    let kills = 0;
    let found = '';
    while (found === '') {
      const [random] = deriveKey(seed, `kill ${kills}`);
      const run = await runUntil([...program, log, String(workers)], /^trial /, 1 + (random % 3), random % 17);
      if (run.killed) kills++;
      else found = endOf(run.output);
      assert.ok(kills <= 12, 'the search gets nowhere');
    }
    t.diagnostic(`${kills} kills`);
    assert.ok(kills >= LEAST_KILLS);
    assert.equal(found, endOf(whole.output));
    // Each trial stands in the log once, whatever moment it was.
    const lines = (await readFile(log, 'utf8')).trim().split('\n');
    const numbers = lines
      .map((line) => JSON.parse(line))
      .flatMap(({ type, number }) => (type === 'trial' ? [number] : []));
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      Array.from({ length: 12 }, (_, k) => k),
    );
  });
}
