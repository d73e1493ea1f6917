// The CUDA device as its users meet it, and training on it, emulated.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChild } from '../support/child.js';
import { emulatedCuda } from '../support/cuda_emulator.js';

const { env, missing } = emulatedCuda();
const skip = env === null ? missing : false;

/** Runs a file of tests in a process that finds the emulated driver. The process ends by itself when its work is done. */
async function passes(path: string, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const { code, signal, stdout, stderr } = await runChild(path, [], {
    env: { ...env, ...more, NODE_TEST_CONTEXT: '' },
    timeout: 600_000,
  });
  assert.equal(signal ?? code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /# pass [1-9]/);
  assert.match(stdout, /# fail 0/);
}

test('the device as users meet it, emulated', { skip }, () => passes('test/cuda/backend_body.ts'));
test("the same without the driver's memory pool, emulated", { skip }, () =>
  passes('test/cuda/backend_body.ts', { ANNEAL_CUDA_NO_POOL: '1' }),
);
test('an error of every driver call, emulated', { skip }, () => passes('test/cuda/errors_body.ts'));
test('random calls of every op, emulated', { skip }, () => passes('test/cuda/attack_body.ts'));
test('tensors stored as f16, emulated', { skip }, () => passes('test/cuda/half_body.ts'));
test('training, emulated', { skip }, () => passes('test/devices/training_body.ts', { ANNEAL_TEST_DEVICE: 'cuda' }));
test('search and ensembles, emulated', { skip }, () =>
  passes('test/devices/search_body.ts', { ANNEAL_TEST_DEVICE: 'cuda' }),
);
