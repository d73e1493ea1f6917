// A search that is killed at random moments, again and again, ends with the trials of one that never was.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { deriveKey } from '../../src/random/philox.js';
import * as search from '../../src/search/index.js';
import { bundled } from '../support/bundled.js';
import { runUntil } from '../support/killed.js';

const TRIALS = 48;
/** At most; it may come to its end before. */
const KILLS = 6;
const LEAST_KILLS = 3;

const folder = mkdtempSync(join(tmpdir(), 'anneal-killed-search-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs it until its end, or until it has told of `trials` and some milliseconds more. */
async function go(args: readonly string[], trials?: number, milliseconds?: number) {
  const { output, killed } = await runUntil(args, /^trial /, trials, milliseconds);
  /** Those that it said had ended, in that order. */
  const numbers = [...output.matchAll(/^trial (\d+)$/gm)].map(([, number]) => Number(number));
  assert.equal(output.includes(`ended with ${TRIALS}\n`), !killed, 'killed before its end');
  return { numbers, killed };
}

const untimed = (trials: readonly search.TrialRecord[]) =>
  trials.map(({ seconds, error, ...rest }) => ({ ...rest, error: error?.split('\n')[0] ?? null }));

const seed = Number(process.env.ANNEAL_TEST_SEED ?? Date.now() % 2 ** 31);

for (const where of ['here', 'workers']) {
  test(`killed again and again, a search ends as one that never was: trials ${where}`, {
    timeout: 120_000,
  }, async (t) => {
    t.diagnostic(`ANNEAL_TEST_SEED=${seed}`);
    const whole = join(folder, `${where}-whole.jsonl`);
    const program = await bundled(['test/search/killed_run.ts', 'test/search/killed_objective.ts'], t);
    await go([program, whole, where]);
    const expected = await search.readLog(whole);
    const states = new Set(expected.trials.map(({ state }) => state));
    assert.deepEqual([...states].sort(), where === 'here' ? ['complete', 'failed', 'pruned'] : ['complete', 'failed']);

    const log = join(folder, `${where}.jsonl`);
    writeFileSync(log, '{"type":"search","ver');
    /** Those that must not be made again. */
    const kept = new Set<number>();
    const check = (numbers: readonly number[]): void => {
      for (const number of numbers) {
        assert.ok(!kept.has(number), `trial ${number} was made twice`);
        kept.add(number);
      }
    };
    let kills = 0;
    for (; ; kills++) {
      const [trials, delay] = deriveKey(seed, `${where} ${kills}`);
      const least = kills < KILLS ? 1 + (trials % 3) : Number.POSITIVE_INFINITY;
      const { numbers, killed } = await go([program, log, where], least, (delay % 1000) / 50);
      check(numbers);
      if (!killed) break;
      // The last line torn as by a crash of the machine: that trial alone is made anew.
      if (kills % 2 === 0) continue;
      const text = readFileSync(log, 'utf8');
      const lines = text.trimEnd().split('\n');
      const last = lines.at(-1) ?? '';
      const [torn] = deriveKey(seed, `${where} torn ${kills}`);
      truncateSync(log, Buffer.byteLength(text) - 1 - (torn % last.length));
      const { number }: { number?: number } = JSON.parse(last);
      if (number !== undefined) kept.delete(number);
    }
    assert.ok(kills >= LEAST_KILLS, `${kills} kills`);

    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    assert.equal(lines.length, 1 + TRIALS, 'a line for each trial');
    const found = await search.readLog(log);
    assert.deepEqual(
      found.trials.map(({ number }) => number),
      Array.from({ length: TRIALS }, (_, k) => k),
    );
    assert.deepEqual(untimed(found.trials), untimed(expected.trials));
    const best = search.bestOf(found.trials);
    assert.ok(best !== null);
    assert.equal(best.number, search.bestOf(expected.trials)?.number);
  });
}
