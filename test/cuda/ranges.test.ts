// What a tool of NVIDIA's is told while a profile is taken: a recorder in its place, on the emulated device.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { opNames } from '../../src/backend/backend.js';
import { runChild } from '../support/child.js';
import { emulatedCuda } from '../support/cuda_emulator.js';
import { raw } from '../support/raw.js';

const { env, missing } = emulatedCuda();
const recorder = join(dirname(env?.ANNEAL_CUDA_LIBRARY ?? ''), 'libanneal_nvtx_recorder.so');
const built = raw.cudaDevices().nvtx && existsSync(recorder);
const skip = env === null ? missing : built ? false : "the CUDA toolkit's NVTX headers were not found";
const folder = mkdtempSync(join(tmpdir(), 'anneal-ranges-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Range {
  readonly name: string;
  readonly within: Range[];
}

/** Lines "push anneal NAME" and "pop anneal" as a tree. */
function ranges(text: string): Range[] {
  const root: Range = { name: '', within: [] };
  const open = [root];
  for (const line of text.split('\n').filter(Boolean)) {
    const [what, domain, ...words] = line.split(' ');
    assert.equal(domain, 'anneal');
    if (what === 'pop') {
      assert.ok(open.length > 1, 'a range ends that was not begun');
      open.pop();
      continue;
    }
    const range = { name: words.join(' '), within: [] };
    open.at(-1)?.within.push(range);
    open.push(range);
  }
  assert.equal(open.length, 1, 'every range ends');
  return root.within;
}

const namesOf = (list: readonly Range[]): string[] => list.map(({ name }) => name);

async function record(how: 'profile' | 'plain', tool: boolean): Promise<string | null> {
  const file = join(folder, `${how}-${tool}`);
  const { code, stderr } = await runChild('test/cuda/ranges_body.ts', [how], {
    env: { ...env, NVTX_INJECTION64_PATH: tool ? recorder : '', ANNEAL_NVTX_RECORDING: file },
  });
  assert.equal(code, 0, stderr);
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

test('steps, their parts and their ops are ranges, each within the other', { skip }, async () => {
  const steps = ranges((await record('profile', true)) ?? '').filter(({ name }) => name === 'step');
  assert.equal(steps.length, 8, 'four steps op by op, four of a captured one');
  const [eager, captured] = [steps[1], steps[7]];
  assert.deepEqual(namesOf(eager?.within ?? []), ['write', 'write', 'forward', 'backward', 'optimizer']);
  const [forward, backward, optimizer] = eager?.within.slice(2) ?? [];
  const isOp = (name: string): boolean => opNames.some((op) => op === name);
  for (const part of [forward, backward]) {
    const ops = namesOf(part?.within ?? []);
    assert.ok(ops.every(isOp), String(ops));
    assert.equal(ops.filter((op) => op === 'sgemm').length, part === forward ? 2 : 3);
  }
  assert.deepEqual(namesOf(optimizer?.within ?? []), ['sgd_momentum_ema']);
  const replayed = namesOf(captured?.within ?? []);
  assert.deepEqual(replayed.slice(0, 2), ['write', 'write']);
  assert.ok(replayed.slice(2).every(isOp), String(replayed));
  assert.equal(replayed.filter((op) => op === 'sgemm').length, 5);
  assert.equal(replayed.at(-1), 'sgd_momentum_ema');
});

test('without a profile there are none, and without a tool nobody is asked', { skip }, async () => {
  assert.equal((await record('plain', true)) ?? '', '');
  assert.equal(await record('profile', false), null);
});
