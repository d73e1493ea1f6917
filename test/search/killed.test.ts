// A search that is killed at random moments, again and again, ends with the trials of one that never was.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { deriveKey } from '../../src/random/philox.js';
import * as search from '../../src/search/index.js';
import { bundled } from '../support/bundle.js';

const TRIALS = 24;
const KILLS = 6;

const folder = mkdtempSync(join(tmpdir(), 'anneal-killed-search-'));
after(() => rmSync(folder, { recursive: true }));
let bundle = '';

before(async () => {
  bundle = await bundled({
    'search/killed_run': 'test/search/killed_run.ts',
    'search/killed_objective': 'test/search/killed_objective.ts',
  });
});
after(() => rmSync(bundle, { recursive: true }));

interface Made {
  /** Trials that it said had ended, in that order. */
  readonly numbers: readonly number[];
  readonly ended: boolean;
}

/** Runs it until its end, or until it has told of `trials` and some milliseconds more. */
function go(log: string, where: string, trials = Number.POSITIVE_INFINITY, delay = 0): Promise<Made> {
  return new Promise((resolve, reject) => {
    const script = join(bundle, 'search/killed_run.js');
    const child = spawn(process.execPath, [script, log, where], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    const numbers = (): number[] => [...output.matchAll(/^trial (\d+)$/gm)].map(([, number]) => Number(number));
    let killed = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (killed || numbers().length < trials) return;
      killed = true;
      setTimeout(() => child.kill('SIGKILL'), delay);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL' || code === 0)
        resolve({ numbers: numbers(), ended: output.includes(`ended with ${TRIALS}\n`) });
      else reject(new Error(`the search ended with ${code}`));
    });
  });
}

const untimed = (trials: readonly search.TrialRecord[]) =>
  trials.map(({ seconds, error, ...rest }) => ({ ...rest, error: error?.split('\n')[0] ?? null }));

const seed = Number(process.env.ANNEAL_TEST_SEED ?? Date.now() % 2 ** 31);

for (const where of ['here', 'workers']) {
  test(`killed ${KILLS} times, a search ends as one that never was: trials ${where}`, {
    timeout: 120_000,
  }, async (t) => {
    t.diagnostic(`ANNEAL_TEST_SEED=${seed}`);
    const whole = join(folder, `${where}-whole.jsonl`);
    assert.ok((await go(whole, where)).ended);
    const expected = await search.readLog(whole);
    const states = new Set(expected.trials.map(({ state }) => state));
    assert.deepEqual([...states].sort(), where === 'here' ? ['complete', 'failed', 'pruned'] : ['complete', 'failed']);

    const log = join(folder, `${where}.jsonl`);
    writeFileSync(log, '{"type":"search","ver');
    /** Those that must not be made again. */
    const kept = new Set<number>();
    const check = ({ numbers }: Made): void => {
      for (const number of numbers) {
        assert.ok(!kept.has(number), `trial ${number} was made twice`);
        kept.add(number);
      }
    };
    for (let kill = 0; kill < KILLS; kill++) {
      const [trials, delay] = deriveKey(seed, `${where} ${kill}`);
      const made = await go(log, where, 1 + (trials % 4), (delay % 1000) / 50);
      assert.equal(made.ended, false, 'it came to its end before it was killed');
      check(made);
      // The last line torn as by a crash of the machine: that trial alone is made anew.
      if (kill % 2 === 0) continue;
      const text = readFileSync(log, 'utf8');
      const lines = text.trimEnd().split('\n');
      const last = lines.at(-1) ?? '';
      const [torn] = deriveKey(seed, `${where} torn ${kill}`);
      truncateSync(log, Buffer.byteLength(text) - 1 - (torn % last.length));
      const { number }: { number?: number } = JSON.parse(last);
      if (number !== undefined) kept.delete(number);
    }
    const end = await go(log, where);
    check(end);
    assert.ok(end.ended && end.numbers.length > 0);

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
