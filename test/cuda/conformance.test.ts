// Every op's CUDA kernels, emulated, against the reference kernels: the whole way through backend and driver.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { runChild } from '../support/child.js';
import { emulatedCuda } from '../support/cuda_emulator.js';

interface Found {
  readonly detail: string;
  readonly wrong: Readonly<Record<string, readonly string[]>>;
}

const { env, missing } = emulatedCuda();
const library75 = (env?.ANNEAL_CUDA_LIBRARY ?? '').replace('.so', '_75.so');

async function check(what: string, ops: readonly string[], more: Readonly<Record<string, string>>, t: TestContext) {
  const { code, signal, stdout, stderr } = await runChild('test/cuda/conformance_body.ts', ops, {
    env: { ...env, ...more, NODE_TEST_CONTEXT: '' },
    timeout: 600_000,
  });
  assert.equal(signal ?? code, 0, `${stdout}\n${stderr}`);
  const { detail, wrong }: Found = JSON.parse(stdout);
  assert.match(detail, /emulated/);
  for (const [op, lines] of Object.entries(wrong)) {
    await t.test(`${op}${what}, emulated`, () => {
      assert.equal(lines.length, 0, `\n${lines.slice(0, 20).join('\n')}`);
    });
  }
}

// Two products of hundreds of Mflop, for the CPU's threads: on a GPU they take the same kernel as other odd sizes, sgemm_*_any,
// and emulated most of the time. `npm run test:gpu` runs them.
const most = { ANNEAL_TEST_MOST_FLOPS: '3e8' };

const skip = env === null ? missing : false;
test('the case tables on the emulated CUDA device', { skip }, (t) => check('', [], most, t));

const products = ['sgemm', 'conv2d', 'conv2d_backward_data', 'conv2d_backward_weight'];
for (const precision of ['tf32', 'bf16'])
  test(`small integers are exact in ${precision}`, { skip }, (t) =>
    check(` in ${precision}`, products, { ...most, ANNEAL_TEST_PRECISION: precision }, t),
  );
// Compute capability 7.5 has no asynchronous copies, so that tiles are filled another way, which is another library, and less
// shared memory. The few cases of more flops take the same kernels, and would take most of the time.
test('products on a device of compute capability 7.5', { skip }, (t) =>
  check(
    ' on 7.5',
    products,
    { ANNEAL_CUDA_LIBRARY: library75, ANNEAL_CUDA_EMULATOR_CC: '75', ANNEAL_TEST_MOST_FLOPS: '3e6' },
    t,
  ),
);
