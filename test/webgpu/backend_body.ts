// The WebGPU device as its users meet it, on the driver of this process: run by backend.test.ts.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backendOf } from '../../src/backend/device.js';
import { openAdapter } from '../../src/backend/webgpu/adapter.js';
import { createWebGpuBackend } from '../../src/backend/webgpu/backend.js';
import { type Choices, tune } from '../../src/backend/webgpu/tuning.js';
import { device, ops, profile, scope, tensor } from '../../src/index.js';
import { webGpuKernels } from '../../src/ops/webgpu.js';
import { version } from '../../src/version.js';
import { kernelText } from '../support/kernel_text.js';
import { refuses, rejects } from '../support/refuses.js';

test('an adapter in software is refused unless told', async () => {
  await rejects(device.request('webgpu'), 'E_DEVICE', /software.*allowSoftware/);
  refuses(() => device.setDevice('webgpu'), 'E_DEVICE', /request\('webgpu'\) first/);
});

test('ops give what the CPU gives', async () => {
  const opened = await device.request('webgpu', { allowSoftware: true });
  assert.match(opened.detail, /swiftshader|llvmpipe/i);
  const values = Float32Array.from({ length: 77 }, (_, i) => Math.sin(i));
  const results: Float32Array[] = [];
  for (const name of ['cpu', 'webgpu'] as const) {
    device.setDevice(name);
    using result = scope(() => {
      const a = tensor(values, [7, 11]);
      return ops.relu(ops.matmul(ops.add(a, 1), tensor(values, [11, 7])));
    });
    assert.equal(result.device, name);
    results.push((await result.data()) as Float32Array);
  }
  const [cpu, gpu] = results;
  cpu?.forEach((expected, i) => {
    assert.ok(Math.abs(expected - (gpu?.[i] ?? Number.NaN)) <= 1e-5, `${expected} and ${gpu?.[i]} at ${i}`);
  });
});

test('host writes and ops keep their order', async () => {
  device.setDevice('webgpu');
  const a = tensor([1, 2, 3, 4]);
  const doubled = ops.mul(a, 2);
  a.write([10, 20, 30, 40]);
  const again = ops.mul(a, 2);
  assert.deepEqual([...(await again.data())], [20, 40, 60, 80]);
  assert.deepEqual([...(await doubled.data())], [2, 4, 6, 8]);
  for (const each of [a, doubled, again]) each.dispose();
});

test('a view is read and written in place', async () => {
  const a = tensor(
    Float32Array.from({ length: 12 }, (_, i) => i),
    [4, 3],
  );
  const row = ops.slice(a, [1, 0], [2, 3]);
  const sum = ops.add(row, row);
  assert.deepEqual([...(await sum.data())], [6, 8, 10, 12, 14, 16]);
  for (const each of [a, row, sum]) each.dispose();
});

test('what is wrong with a call is said at once', async () => {
  const a = tensor([1, 2, 3]);
  refuses(() => ops.matmul(a, a), 'E_SHAPE', /matmul/);
  refuses(() => a.dataSync(), 'E_DEVICE', /await tensor\.data\(\)/);
  device.setDevice('cpu');
  const here = tensor([1, 2, 3]);
  device.setDevice('webgpu');
  refuses(() => ops.add(a, here), 'E_DEVICE', /one device/);
  a.dispose();
  refuses(() => ops.neg(a), 'E_DISPOSED', /disposed/);
  here.dispose();
  const { limits } = (await openAdapter({ allowSoftware: true })).device;
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  refuses(() => backendOf('webgpu').alloc(most + 1), 'E_OOM', /limit/);
});

test('memory that was given back is used again, or returned', async () => {
  device.trim('webgpu');
  const before = device.memory('webgpu');
  const a = tensor(new Float32Array(1000));
  a.dispose();
  const held = device.memory('webgpu');
  assert.equal(held.liveBytes, before.liveBytes);
  assert.ok(held.pooledBytes >= 4000);
  const b = tensor(new Float32Array(1000));
  assert.equal(device.memory('webgpu').pooledBytes, held.pooledBytes - 4096);
  b.dispose();
  await device.sync('webgpu');
  assert.ok(device.trim('webgpu') >= 4000);
  assert.equal(device.memory('webgpu').pooledBytes, 0);
});

test('a profile has the times of its ops', async () => {
  const { table } = await profile(async () => {
    for (let i = 0; i < 3; i++) {
      using result = scope(() => {
        const a = ops.normal([64, 64], { seed: i });
        return ops.relu(ops.matmul(a, a));
      });
      await result.data();
    }
  });
  for (const label of ['random normal', 'sgemm']) assert.match(String(table), new RegExp(`^${label} +3 `, 'm'));
});

test('a kernel that does not compile is an error of its op, and the device goes on', async () => {
  const opened = await openAdapter({ allowSoftware: true });
  const broken = createWebGpuBackend(opened, webGpuKernels, (path) =>
    kernelText(path).replace('fn unary(', 'fn unary(oops '),
  );
  const [x, out] = [broken.alloc(16), broken.alloc(16)];
  broken.write(x, 0, Float32Array.of(-1, 2, -3, 4));
  const call = (op: number, words: readonly number[]) => {
    broken.block.params.u32.fill(0);
    broken.block.params.u32.set(words);
    broken.block.operands.set([x, 0, 16, out, 0, 16]);
    broken.run(op, 1, 1);
  };
  call(11, [15, 0, 4]);
  await rejects(broken.read(out, 0, 16), 'E_INTERNAL', /^unary: expected unary\/unary to compile/);
  call(14, [0, 0, 4]);
  await rejects(broken.read(x, 0, 99), 'E_RANGE');
  assert.deepEqual([...new Float32Array(await broken.read(x, 0, 16))], [-1, 2, -3, 4]);
  broken.destroy();
});

test('the fastest variants are measured once and kept; what is torn is measured again', async () => {
  const backend = createWebGpuBackend(await openAdapter({ allowSoftware: true }), webGpuKernels, kernelText);
  // Kept by the first request, whichever process it was in.
  const all = await tune(backend, webGpuKernels, version);
  for (const shapeClass of ['square', 'thin', 'deep']) assert.ok(`sgemm ${shapeClass}` in all);
  // Timing every variant takes an adapter in software half a minute; one class goes through the same code.
  const { sgemm } = webGpuKernels;
  const thin = sgemm?.variants?.classes.thin;
  assert.ok(sgemm?.variants && thin);
  const one = { sgemm: { ...sgemm, variants: { ...sgemm.variants, classes: { thin } } } };
  const folder = mkdtempSync(join(tmpdir(), 'anneal-cache-'));
  const before = process.env.ANNEAL_CACHE_DIR;
  process.env.ANNEAL_CACHE_DIR = folder;
  try {
    const chosen = await tune(backend, one, version);
    const [name = ''] = readdirSync(folder);
    const file = join(folder, name);
    const kept: Choices = JSON.parse(readFileSync(file, 'utf8'));
    assert.deepEqual(kept, chosen);
    assert.deepEqual(Object.keys(kept), ['sgemm thin']);
    for (const { variant, milliseconds } of Object.values(kept)) {
      assert.ok(Object.keys(milliseconds).length > 1);
      assert.equal(milliseconds[variant], Math.min(...Object.values(milliseconds)));
    }
    const { mtimeMs } = statSync(file);
    assert.deepEqual(await tune(backend, one, version), kept);
    assert.equal(statSync(file).mtimeMs, mtimeMs, 'not measured again');
    writeFileSync(file, '{"sgemm thin"');
    await tune(backend, one, version);
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(file, 'utf8'))), Object.keys(kept));
    process.env.ANNEAL_WEBGPU_VARIANTS = 'sgemm=quick';
    await rejects(device.request('webgpu', { allowSoftware: true }), 'E_ARGUMENT', /sgemm=tiled4/);
  } finally {
    delete process.env.ANNEAL_WEBGPU_VARIANTS;
    delete process.env.ANNEAL_CACHE_DIR;
    if (before !== undefined) process.env.ANNEAL_CACHE_DIR = before;
    rmSync(folder, { recursive: true });
    backend.destroy();
  }
});

test('a lost device rejects what is pending, and another can be made', async () => {
  await device.request('webgpu', { allowSoftware: true });
  device.setDevice('webgpu');
  const a = tensor([1, 2, 3]);
  const pending = ops.add(a, 1).data();
  const lost = backendOf('webgpu');
  assert.ok('destroy' in lost && typeof lost.destroy === 'function');
  lost.destroy();
  await rejects(pending, 'E_DEVICE', /loss/);
  refuses(() => ops.add(a, 1), 'E_DEVICE');
  await device.request('webgpu', { allowSoftware: true });
  using b = tensor([1, 2, 3]);
  using c = ops.add(b, 1);
  assert.deepEqual([...(await c.data())], [2, 3, 4]);
  refuses(() => ops.add(a, b), 'E_DEVICE');
});
