// Every op's CUDA kernels, emulated, against the reference kernels: the whole way through backend and driver.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runChild } from '../support/child.js';
import { emulatedCuda } from '../support/cuda_emulator.js';

interface Found {
  readonly detail: string;
  readonly wrong: Readonly<Record<string, readonly string[]>>;
}

const { env, missing } = emulatedCuda();

test('the case tables on the emulated CUDA device', { skip: env === null ? missing : false }, async (t) => {
  const { code, signal, stdout, stderr } = await runChild('test/cuda/conformance_body.ts', [], {
    env: { ...env, NODE_TEST_CONTEXT: '' },
    timeout: 600_000,
  });
  assert.equal(signal ?? code, 0, `${stdout}\n${stderr}`);
  const { detail, wrong }: Found = JSON.parse(stdout);
  assert.match(detail, /emulated/);
  for (const [op, lines] of Object.entries(wrong)) {
    await t.test(`${op}, emulated`, () => {
      assert.equal(lines.length, 0, `\n${lines.slice(0, 20).join('\n')}`);
    });
  }
});
