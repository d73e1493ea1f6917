// The boundary under random attack: whatever the addon's functions are passed, they work or throw an AnnealError.
// The properties run in a child process, so that a crash or a hang there is a failed test here.
//   ANNEAL_FUZZ_SEED=n   another seed than the one of every day
//   ANNEAL_FUZZ_RUNS=n   more runs of each property
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const LIMIT_MS = 600_000;
const seed = process.env.ANNEAL_FUZZ_SEED ?? '20240229';

test(`nothing passed to the addon crashes it (seed ${seed})`, { timeout: LIMIT_MS + 10_000 }, async () => {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(new URL('./properties.ts', import.meta.url))],
    {
      env: { ...process.env, ANNEAL_FUZZ_SEED: seed, NODE_TEST_CONTEXT: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done, failed) => {
    child.on('error', failed);
    child.on('close', (...result) => done(result));
  });
  clearTimeout(timer);
  assert.deepEqual({ status, signal }, { status: 0, signal: null }, `seed ${seed}\n${output.slice(-6000)}`);
});
