// Every driver call fails in turn, once with an error that passes and once with one after which the driver refuses everything: run by
// backend.test.ts, on the emulated driver.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AnnealError, capture, device, ops, tensor } from '../../src/index.js';
import { packageRoot } from '../../src/package_root.js';

const INVALID_VALUE = 1;
const OUT_OF_MEMORY = 2;
const LAUNCH_FAILED = 719;

const header = readFileSync(join(packageRoot(), 'native/backends/cuda/driver.h'), 'utf8');
const calls = [...header.matchAll(/CALL\((cu\w+?)(?:_v\d)?, /g)].map(([, name = '']) => name);
/** Calls that only say what an error is, or end what is over: nothing can be told from their failing. */
const silent = /^cuGetError|Destroy|Release|Reset|Free|Unload/;

/** Something of everything: open, memory, copies both ways, ops, a plan run three times, a profile's clock, scratch. */
async function work(): Promise<number[]> {
  await device.request('cuda');
  device.setDevice('cuda');
  const x = tensor(
    Float32Array.from({ length: 4096 }, (_, i) => i % 7),
    [64, 64],
  );
  const twice = capture((inputs: { x: typeof x }) => ops.add(ops.matmul(inputs.x, inputs.x), 1));
  const found: number[] = [];
  try {
    for (let i = 0; i < 3; i++) {
      using y = twice({ x });
      found.push((await y.data()).at(-1) ?? Number.NaN);
      x.write(Float32Array.from({ length: 4096 }, (_, k) => (k + i) % 5));
    }
    await device.sync();
  } finally {
    twice.dispose();
    x.dispose();
  }
  return found;
}

const expected = await work();

test('the emulated driver is what it was without a failure', async () => {
  assert.deepEqual(await work(), expected);
  assert.ok(calls.length > 40);
});

for (const name of calls.filter((call) => !silent.test(call))) {
  test(`${name} fails`, async () => {
    for (const result of [INVALID_VALUE, OUT_OF_MEMORY, LAUNCH_FAILED]) {
      for (const nth of [1, 2, 5]) {
        process.env.ANNEAL_CUDA_EMULATOR_FAIL = `${name}:${nth}:${result}`;
        let error: unknown;
        let found: number[] = [];
        try {
          found = await work();
        } catch (caught) {
          error = caught;
        }
        // Once more, should the failure have come too late to be told.
        const late = await device.sync().catch((caught: unknown) => caught);
        error ??= late;
        delete process.env.ANNEAL_CUDA_EMULATOR_FAIL;
        const what = `${name}, call ${nth}, result ${result}`;
        if (error === undefined) assert.deepEqual(found, expected, `${what}: no error, so the right values`);
        else {
          assert.ok(error instanceof AnnealError, `${what}: ${error}`);
          assert.match(error.code, /^E_(DEVICE|OOM)$/, `${what}: ${error.message}`);
          assert.ok(!/undefined|\[object/.test(error.message), error.message);
        }
        // The process lives, and the device can be opened again and does its work.
        assert.deepEqual(await work(), expected, `after ${what}`);
      }
    }
  });
}

test('a failed launch says op, launch and what the driver said', async () => {
  await device.request('cuda');
  device.setDevice('cuda');
  process.env.ANNEAL_CUDA_EMULATOR_FAIL = `cuLaunchKernel:1:${INVALID_VALUE}`;
  const x = tensor([1, 2, 3]);
  const y = ops.neg(x);
  await assert.rejects(y.data(), (error: AnnealError) => {
    assert.match(
      error.message,
      /^unary: elementwise\/unary4, grid 1 x 1 x 1, block 256 x 1 x 1, .*CUDA_ERROR_INVALID_VALUE/,
    );
    return true;
  });
  delete process.env.ANNEAL_CUDA_EMULATOR_FAIL;
  const z = ops.neg(x);
  assert.deepEqual([...(await z.data())], [-1, -2, -3]);
  for (const each of [x, y, z]) each.dispose();
});
