// A queue that is full, and kernels that fail.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { memory, sync, trim } from '../../src/device.js';
import { scope } from '../../src/index.js';
import { matmul, ones, zeros } from '../../src/ops/index.js';
import { sgd } from '../../src/optim/index.js';
import { type Tensor, tensor } from '../../src/tensor/tensor.js';
import * as train from '../../src/train/index.js';
import { blobs, mlp } from '../support/blobs.js';
import { opInfo, raw } from '../support/raw.js';
import { rejects } from '../support/refuses.js';
import { eagerSteps, holdings, lossesOf } from './steps.js';

/** Records that the queue holds: native/core/queue.h. */
const RING = 1024;

after(() => raw.failOp(0, 0, 0));

/** Keeps the queue busy while what follows is enqueued. */
function busy(): void {
  const a = ones([768, 768]);
  for (let i = 0; i < 4; i++) matmul(a, a).dispose();
  a.dispose();
}

test('ops far beyond what the queue holds wait for room: right, and in bounded memory', async () => {
  const before = holdings();
  trim();
  busy();
  const { peakBytes } = memory();
  let sum: Tensor = zeros([1000]);
  for (let i = 0; i < 20 * RING; i++) {
    const next = sum.add(1);
    sum.dispose();
    sum = next;
  }
  assert.deepEqual(new Set(await sum.data()), new Set([20 * RING]));
  sum.dispose();
  assert.deepEqual(holdings(), before);
  assert.ok(memory().peakBytes <= peakBytes + 16 * 4096, `${memory().peakBytes - peakBytes} bytes more`);
});

test('writes from the host beyond what the queue holds: in order, with no more copies than it holds', async () => {
  const before = holdings();
  await sync();
  trim();
  const target = zeros([1000]);
  const { peakBytes } = memory();
  busy();
  const largest = memory().peakBytes - peakBytes;
  for (let i = 0; i < 3 * RING; i++) {
    target.write(new Float32Array(1000).fill(i));
    if (i % RING === 0) scope(() => void matmul(target.view([1, 1000]), target.view([1000, 1])));
  }
  assert.deepEqual(new Set(await target.data()), new Set([3 * RING - 1]));
  assert.ok(memory().peakBytes - peakBytes <= largest + (RING + 16) * 4096);
  target.dispose();
  assert.deepEqual(holdings(), before);
});

test('reads beyond what the queue holds settle in their order', async () => {
  busy();
  const order: number[] = [];
  const reads: Promise<unknown>[] = [];
  for (let i = 0; i < 2 * RING; i++) {
    const value = tensor([i]);
    reads.push(value.item().then((found) => order.push(found)));
    value.dispose();
  }
  await Promise.all(reads);
  assert.deepEqual(
    order,
    Array.from({ length: 2 * RING }, (_, i) => i),
  );
});

test('a kernel that fails rejects what waits for it, by name; the device stays usable', async () => {
  const [expected] = await lossesOf(eagerSteps, 1);
  const before = holdings();
  const names = [
    'conv2d',
    'conv2d_backward_weight',
    'max_pool2d',
    'sgemm',
    'softmax_cross_entropy',
    'sgd_momentum_ema',
  ];
  for (const name of names) {
    const steps = eagerSteps();
    raw.failOp(opInfo(name).id, 1, 1);
    await rejects(steps.step(), 'E_INTERNAL', new RegExp(`^${name}: failed, as was asked for$`));
    steps.dispose();
    assert.deepEqual(holdings(), before);
    assert.deepEqual(await lossesOf(eagerSteps, 1), [expected], `after ${name}`);
  }
  assert.deepEqual(await sync(), undefined);
});

for (const capture of [true, false]) {
  test(`a kernel that fails ends a training run with its error, ${capture ? 'captured' : 'op by op'}`, async () => {
    const before = holdings();
    for (const [name, first] of [
      ['sgemm', 1],
      ['sgemm', 40],
      ['softmax_cross_entropy', 7],
      ['reduce', 3],
    ] as const) {
      const model = mlp();
      const reasons: string[] = [];
      const watch: train.Callback = { name: 'watch', onStop: ({ reason }) => void reasons.push(reason) };
      raw.failOp(opInfo(name).id, first, 1);
      {
        const data = blobs(64, 1).batch(16);
        await using run = train.fit(model, {
          data,
          epochs: 9,
          optimizer: sgd({ lr: 0.1 }),
          callbacks: [watch],
          capture,
        });
        await rejects(run.result, 'E_INTERNAL', new RegExp(`^${name}: failed`));
      }
      assert.deepEqual(reasons, ['error']);
      model.dispose();
      raw.failOp(0, 0, 0);
      assert.deepEqual(holdings(), before);
    }
  });
}
