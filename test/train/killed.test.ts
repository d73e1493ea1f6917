// A run that is killed at random moments, again and again, ends with the same bits as one that never was.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deriveKey } from '../../src/random/philox.js';
import { bundled } from '../support/bundled.js';
import { runUntil } from '../support/killed.js';

const KILLS = 20;
const STEPS = 240;

/** Runs it until its end, or until it has done a number of steps and some microseconds more. */
async function go(script: string, directory: string, steps?: number): Promise<{ done: number; digest: string | null }> {
  const { output, killed } = await runUntil([script, directory], /^step /, steps);
  const done = Math.max(0, ...[...output.matchAll(/^step (\d+)$/gm)].map(([, step]) => Number(step)));
  return { done, digest: killed ? null : (/^digest (\w+)$/m.exec(output)?.[1] ?? null) };
}

test(`killed ${KILLS} times, a run ends as one that never was`, { timeout: 180_000 }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'anneal-killed-'));
  t.after(() => rm(directory, { recursive: true }));
  const script = await bundled(['test/train/killed_run.ts'], t);
  const { digest: expected } = await go(script, join(directory, 'whole'));
  assert.ok(expected);
  const seed = Number(process.env.ANNEAL_TEST_SEED ?? Date.now() % 2 ** 31);
  t.diagnostic(`ANNEAL_TEST_SEED=${seed}`);
  let kills = 0;
  let found: string | null = null;
  let furthest = 0;
  for (let run = 0; found === null; run++) {
    // As many steps as leave room for all kills; a run may be killed before its first checkpoint, and then repeats.
    const [random] = deriveKey(seed, `kill ${run}`);
    const steps = kills < KILLS ? 1 + (random % 20) : Number.POSITIVE_INFINITY;
    const { done, digest } = await go(script, join(directory, 'killed'), steps);
    if (digest === null) kills++;
    furthest = Math.max(furthest, done);
    assert.ok(run < 4 * KILLS, 'the run gets nowhere');
    if (digest !== null && kills < KILLS) {
      // It came to its end too early: what it ends with counts, and another begins.
      assert.equal(digest, expected);
      await rm(join(directory, 'killed'), { recursive: true });
      continue;
    }
    found = digest;
  }
  t.diagnostic(`${kills} kills`);
  assert.equal(furthest, STEPS);
  assert.equal(found, expected);
});
