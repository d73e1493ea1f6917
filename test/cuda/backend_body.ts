// The CUDA device as its users meet it, on the driver of this process: run by backend.test.ts on the emulated driver, by
// scripts/test-gpu.mjs on a GPU.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cudaDetail, isCuda } from '../../src/backend/cuda.js';
import { backendOf } from '../../src/backend/device.js';
import type { CudaDevice } from '../../src/binding.js';
import { autograd, capture, device, nn, ops, optim, profile, scope, tensor } from '../../src/index.js';
import { cosine } from '../../src/schedule/index.js';
import { refuses, rejects } from '../support/refuses.js';

const { count } = cudaDetail();

function opened(): CudaDevice {
  const backend = backendOf('cuda');
  assert.ok(isCuda(backend));
  return backend.cuda;
}

test('it must be asked for', async () => {
  refuses(() => device.setDevice('cuda'), 'E_DEVICE', /request\('cuda'\) first/);
  assert.match(
    device.devices().find(({ name }) => name === 'cuda')?.detail ?? '',
    /^(emulated, )?[1-9]\d* devices?, not asked for yet/,
  );
  const info = await device.request('cuda');
  assert.deepEqual([info.name, info.available], ['cuda:0', true]);
  const { emulated, name } = opened().about;
  assert.ok(info.detail.startsWith(emulated ? `emulated: ${name}, ` : `${name}, `), info.detail);
  assert.match(info.detail, /, compute capability \d+\.\d, \d+ GiB, driver for CUDA \d+\.\d+, kernels /);
  const refusal = new RegExp(`expected a device below ${count}, received cuda:${count}`);
  await rejects(device.request(`cuda:${count}`), 'E_DEVICE', refusal);
});

const values = Float32Array.from({ length: 77 }, (_, i) => Math.sin(i));

test('ops give what the CPU gives, on each device', async () => {
  const others = count > 1 ? (['cuda:1'] as const) : [];
  for (const other of others) await device.request(other);
  const results: Float32Array[] = [];
  for (const name of ['cpu', 'cuda', ...others] as const) {
    device.setDevice(name);
    using result = scope(() => {
      const a = tensor(values, [7, 11]);
      return ops.relu(ops.matmul(ops.add(a, 1), tensor(values, [11, 7])));
    });
    assert.equal(result.device, name === 'cuda' ? 'cuda:0' : name);
    const data = await result.data();
    assert.ok(data instanceof Float32Array);
    assert.deepEqual(data, result.dataSync());
    results.push(data);
  }
  const [cpu, first, second] = results;
  if (second !== undefined) assert.deepEqual(first, second);
  cpu?.forEach((expected, i) => {
    assert.ok(Math.abs(expected - (first?.[i] ?? Number.NaN)) <= 1e-5, `${expected} and ${first?.[i]} at ${i}`);
  });
  device.setDevice('cuda');
  const a = tensor([1, 2]);
  device.setDevice(others[0] ?? 'cpu');
  const b = tensor([1, 2]);
  refuses(() => ops.add(a, b), 'E_DEVICE', /one device/);
  for (const each of [a, b]) each.dispose();
  device.setDevice('cuda');
});

test('host writes, ops and reads keep their order, whatever overtakes whatever', async () => {
  const cells = Array.from({ length: 4 }, () => new Float32Array(64));
  const here = cells.map((cell) => tensor(cell));
  let state = 1;
  const random = (below: number): number => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  const reads: Promise<void>[] = [];
  for (let i = 0; i < 400; i++) {
    const [a, b] = [random(4), random(4)];
    const [cell, other, x, y] = [cells[a], cells[b], here[a], here[b]];
    assert.ok(cell && other && x && y);
    switch (random(3)) {
      case 0: {
        const fresh = Float32Array.from({ length: 64 }, () => random(7) - 3);
        x.write(fresh);
        cell.set(fresh);
        break;
      }
      case 1: {
        const sum = ops.add(x, y);
        const bounded = ops.clip(sum, -100, 100);
        x.write(bounded.dataSync());
        cell.forEach((v, k) => {
          cell[k] = Math.max(-100, Math.min(100, v + (other[k] ?? 0)));
        });
        for (const each of [sum, bounded]) each.dispose();
        break;
      }
      default: {
        const expected = cell.slice();
        reads.push(x.data().then((found) => assert.deepEqual(found, expected)));
      }
    }
  }
  await Promise.all(reads);
  for (const each of here) each.dispose();
});

test('what is wrong with a call is said at once', async () => {
  const a = tensor([1, 2, 3]);
  refuses(() => ops.matmul(a, a), 'E_SHAPE', /matmul/);
  a.dispose();
  refuses(() => ops.neg(a), 'E_DISPOSED', /disposed/);
  refuses(() => backendOf('cuda').alloc(2 * opened().about.memoryBytes), 'E_OOM', /out of memory/);
});

test('memory that was given back is used again, or returned', async () => {
  await device.sync('cuda');
  device.trim('cuda');
  const before = device.memory('cuda');
  const a = tensor(new Float32Array(1000));
  a.dispose();
  const held = device.memory('cuda');
  assert.equal(held.liveBytes, before.liveBytes);
  assert.ok(held.pooledBytes >= 4000);
  const b = tensor(new Float32Array(1000));
  assert.equal(device.memory('cuda').pooledBytes, held.pooledBytes - 4096);
  b.dispose();
  await device.sync('cuda');
  tensor([1]).dataSync();
  assert.ok(device.trim('cuda') >= 4000);
});

test('so is the pinned memory that copies went through', async () => {
  using a = tensor(new Float32Array(1 << 18).fill(3));
  assert.equal((await a.data()).at(-1), 3);
  await device.sync('cuda');
  const returned = device.trim('cuda');
  assert.ok(returned >= 2 * 4 * (1 << 18), `${returned} bytes, for a copy of 1 MiB each way`);
  assert.ok(device.trim('cuda') < 2 ** 20);
  // And there is some again for the next.
  a.write(new Float32Array(1 << 18).fill(4));
  assert.equal((await a.data()).at(-1), 4);
});

test('a captured step is one graph, whatever the schedule', async () => {
  const { graphs } = opened();
  const model = nn.models.mlp({ hidden: [16], outputs: 3 });
  model.build([8], 1);
  const optimizer = optim.create(
    optim.sgd({ lr: cosine({ from: 0.1, steps: 10 }), momentum: 0.9 }),
    model.namedParameters(),
  );
  const step = capture((inputs: { x: ReturnType<typeof tensor> }) => {
    const loss = ops.mean(ops.square(model.forward(inputs.x, { training: true, seed: 3, step: 0 })));
    optimizer.zeroGrad();
    autograd.backward(loss);
    optimizer.step();
    return loss;
  });
  const made = graphs().made;
  const losses: number[] = [];
  for (let i = 0; i < 8; i++) {
    using x = tensor(
      Float32Array.from({ length: 32 }, (_, k) => Math.sin(k + i)),
      [4, 8],
    );
    using loss = step({ x });
    losses.push(await loss.item());
  }
  assert.equal(graphs().made, made + 1);
  assert.ok(graphs().changed > 0);
  assert.ok((losses.at(-1) ?? 1) < (losses[0] ?? 0));
  step.dispose();
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

test('a product in the precision asked for', async (t) => {
  if (opened().about.computeCapability < 80) return t.skip('needs compute capability 8.0');
  const a = Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i * i));
  const b = Float32Array.from({ length: 64 * 64 }, (_, i) => Math.cos(3 * i * i));
  const product = async (): Promise<ArrayLike<number>> => {
    using c = scope(() => ops.matmul(tensor(a, [64, 64]), tensor(b, [64, 64])));
    return c.data();
  };
  device.setDevice('cpu');
  const exact = await product();
  /** The largest error, in parts of the sum of the magnitudes, which is at most 64. */
  const worst = async (precision: 'f32' | 'tf32' | 'bf16'): Promise<number> => {
    await device.request('cuda', { precision });
    device.setDevice('cuda');
    const found = await product();
    return Math.max(...Array.from(exact, (value, i) => Math.abs(value - (found[i] ?? Number.NaN)))) / 64;
  };
  // A factor is off by half of its last bit: 24, 11 and 8 bits; errors add up like a random walk.
  assert.ok((await worst('f32')) < 2 ** -24);
  for (const [precision, bits] of [
    ['tf32', 11],
    ['bf16', 8],
  ] as const) {
    const error = await worst(precision);
    assert.ok(error < 2 ** -bits, `${precision}: ${error}`);
    assert.ok(error > 2 ** -(bits + 6), `${precision}: ${error} is too small to be rounded to ${bits} bits`);
  }
});

test('a precision that the GPU does not have is refused', async (t) => {
  const { emulated, computeCapability } = opened().about;
  if (!emulated && computeCapability >= 80) return t.skip('this GPU has them all');
  if (emulated) process.env.ANNEAL_CUDA_EMULATOR_CC = '75';
  await rejects(device.request('cuda', { precision: 'tf32' }), 'E_DEVICE', /compute capability 8\.0/);
  delete process.env.ANNEAL_CUDA_EMULATOR_CC;
});
