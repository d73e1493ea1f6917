// A run that is killed at random moments, again and again, ends with the same bits as one that never was.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import { deriveKey } from '../../src/random/philox.js';
import { root } from '../support/child.js';

const KILLS = 20;
const STEPS = 240;

/** Runs it until its end, or until it has done a number of steps and some microseconds more. */
function go(
  script: string,
  directory: string,
  steps = Number.POSITIVE_INFINITY,
): Promise<{ done: number; digest: string | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    let seen = 0;
    let last = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      for (const [, step] of text.matchAll(/^step (\d+)$/gm)) {
        seen++;
        last = Number(step);
      }
      if (seen >= steps) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve({ done: last, digest: null });
      else if (code === 0) resolve({ done: last, digest: /^digest (\w+)$/m.exec(output)?.[1] ?? null });
      else reject(new Error(`the run ended with ${code}`));
    });
  });
}

test(`killed ${KILLS} times, a run ends as one that never was`, { timeout: 180_000 }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'anneal-killed-'));
  t.after(() => rm(directory, { recursive: true }));
  // One file, below the repository's root, where the addon is found: it starts in a fraction of the time.
  await mkdir(join(root, 'build'), { recursive: true });
  const bundle = await mkdtemp(join(root, 'build', 'killed-'));
  t.after(() => rm(bundle, { recursive: true }));
  const script = join(bundle, 'run.mjs');
  const entryPoints = [join(root, 'test/train/killed_run.ts')];
  const form = { platform: 'node', format: 'esm', target: 'node20', packages: 'external' } as const;
  await build({ entryPoints, outfile: script, bundle: true, ...form });
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
