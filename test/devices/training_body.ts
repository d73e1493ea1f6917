// Training on the device that ANNEAL_TEST_DEVICE names, on the driver of this process: run by test/webgpu/ and test/cuda/.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { autograd, capture, device, nn, ops, optim, type Tensor, tensor, train } from '../../src/index.js';
import { cosine } from '../../src/schedule/index.js';
import { compareRuns, trainable } from '../capture/setup.js';
import { blobs } from '../support/blobs.js';

const name = process.env.ANNEAL_TEST_DEVICE === 'cuda' ? 'cuda' : 'webgpu';
const request = () => (name === 'cuda' ? device.request('cuda') : device.request('webgpu', { allowSoftware: true }));
await request();

const sizes = [8, 8, 3, 8, 3, 8].map((size, i) => ({ size, seed: 11 + i }));

test('a captured MLP with dropout, AdamW, a schedule, clipping and averaged weights does what it does op by op', async () => {
  device.setDevice(name);
  const lr = cosine({ from: 0.01, steps: 12 });
  const make = () =>
    trainable(
      nn.sequential([
        nn.dense({ units: 33, activation: 'relu' }),
        nn.dropout(0.3),
        nn.dense({ units: 17, activation: 'gelu' }),
        nn.layerNorm(),
        nn.dense({ units: 5 }),
      ]),
      [21],
      optim.adamw({ lr, weightDecay: 0.1, clipNorm: 0.5, ema: { decay: 0.9 }, amsgrad: true }),
    );
  using step = await compareRuns(make, sizes, [21], 5);
  assert.equal(step.plans.length, 2);
});

test('so does a captured conv net with batch norm, pooling and SGD', async () => {
  device.setDevice(name);
  const make = () =>
    trainable(
      nn.sequential([
        nn.conv2d({ filters: 6, kernelSize: 3, padding: 'same' }),
        nn.batchNorm(),
        nn.activation('relu'),
        nn.maxPool2d(2),
        nn.flatten(),
        nn.dense({ units: 4 }),
      ]),
      [8, 8, 2],
      optim.sgd({ lr: 0.05, momentum: 0.9, weightDecay: 1e-3, ema: { decay: 0.9 } }),
    );
  using step = await compareRuns(make, sizes, [8, 8, 2], 4);
  assert.equal(step.plans.length, 2);
});

const convNet = () => nn.models.lenet({ filters: [8, 16], padding: 'same', hidden: [32] });

/** The losses of a net's first steps, from the same seed and data; each awaited before the next step, or all at the end. */
async function lossCurve(model: nn.Module, on: 'cpu' | typeof name, steps: number, awaited = true): Promise<number[]> {
  device.setDevice(on);
  model.build([14, 14, 1], 1);
  const optimizer = optim.create(optim.sgd({ lr: 0.02, momentum: 0.9 }), model.namedParameters());
  const x = ops.normal([16, 14, 14, 1], { seed: 2 });
  const y = tensor(Int32Array.from({ length: 16 }, (_, i) => (7 * i) % 10));
  const step = capture((inputs: { x: typeof x; y: typeof y }) => {
    const loss = ops.softmaxCrossEntropy(model.forward(inputs.x, { training: true, seed: 3, step: 0 }), inputs.y);
    optimizer.zeroGrad();
    autograd.backward(loss);
    optimizer.step();
    return loss;
  });
  const losses: (number | Promise<number>)[] = [];
  for (let i = 0; i < steps; i++) {
    const loss = step({ x, y });
    losses.push(awaited ? await loss.item() : loss.item());
    loss.dispose();
  }
  const values = await Promise.all(losses);
  step.dispose();
  return values;
}

test("a conv net's first 50 losses are those of the CPU within 1e-3", async () => {
  const [cpu, gpu] = [await lossCurve(convNet(), 'cpu', 50), await lossCurve(convNet(), name, 50)];
  cpu.forEach((loss, i) => {
    assert.ok(Math.abs(loss - (gpu[i] ?? Number.NaN)) <= 1e-3, `step ${i}: ${loss} and ${gpu[i]}`);
  });
  assert.ok((cpu.at(-1) ?? 1) < 0.5 * (cpu[0] ?? 0), 'it learns');
});

test('steps that are enqueued before kernels are there', async () => {
  await request();
  // Its few kernels compile in seconds, also in software.
  const net = () => nn.models.mlp({ hidden: [16], outputs: 10 });
  const [together, apart] = [await lossCurve(net(), name, 4, false), await lossCurve(net(), name, 4)];
  assert.deepEqual(together, apart);
});

test('train.fit captures, validates, restores the best weights and reports ratios', async () => {
  device.setDevice(name);
  const set = blobs(96, 1);
  const model = nn.models.mlp({ hidden: [16], outputs: 3 });
  await using run = train.fit(model, {
    data: set.shuffle().batch(16),
    validation: set.batch(32),
    epochs: 6,
    seed: 1,
    metrics: ['accuracy', train.topK(1)],
    optimizer: optim.sgd({ lr: 0.1, momentum: 0.9, ema: { decay: 0.9 } }),
    callbacks: [
      train.earlyStopping({ monitor: 'val_accuracy', restoreBest: true }),
      train.updateRatio({ every: 2, action: 'none' }),
    ],
  });
  const warnings: string[] = [];
  let ratios = 0;
  for await (const event of run) {
    if (event.type === 'warning') warnings.push(event.message);
    if (event.type === 'step' && event.updateRatios) ratios++;
  }
  const { history } = await run.result;
  assert.deepEqual(warnings, []);
  assert.ok(ratios > 0);
  assert.ok((history.at(-1)?.metrics.val_accuracy ?? 0) > 0.9, JSON.stringify(history.at(-1)?.metrics));
  for (const { metrics } of history) assert.equal(metrics.val_top1_accuracy, metrics.val_accuracy);
  model.dispose();
});

test('a run that goes on from its checkpoint ends with the bits of one that never stopped', async () => {
  device.setDevice(name);
  const folder = mkdtempSync(join(tmpdir(), 'anneal-device-'));
  const set = blobs(96, 1);
  const go = async (directory: string, stopAt = Number.POSITIVE_INFINITY): Promise<[nn.Weights, number | null]> => {
    const model = nn.models.mlp({ hidden: [16], outputs: 3 });
    await using run = train.fit(model, {
      data: set.shuffle().batch(16),
      validation: set.batch(32),
      epochs: 3,
      seed: 5,
      optimizer: optim.adam({ lr: cosine({ from: 0.02, steps: 18 }), ema: { decay: 0.9 } }),
      callbacks: [
        train.earlyStopping({ monitor: 'ema_val_loss', patience: 9, restoreBest: true }),
        train.checkpoint({ directory, everySteps: 4 }),
      ],
      resume: directory,
    });
    let resumed: number | null = null;
    for await (const event of run) {
      if (event.type === 'resume') resumed = event.step;
      if (event.type === 'step' && event.step === stopAt) run.stop();
    }
    await run.result;
    const weights = await model.stateDict();
    model.dispose();
    return [weights, resumed];
  };
  try {
    const [expected] = await go(join(folder, 'whole'));
    await go(join(folder, 'stopped'), 9);
    const [found, resumed] = await go(join(folder, 'stopped'));
    assert.ok(resumed !== null && resumed >= 9);
    assert.deepEqual(found, expected);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('second derivatives', async () => {
  device.setDevice(name);
  const x = tensor([0.3, -0.7, 1.1]);
  const slope = autograd.grad((each: Tensor) => ops.sum(ops.tanh(each)));
  const [second] = autograd.grad((each: Tensor) => ops.sum(slope(each)[0] as Tensor))(x);
  assert.ok(second);
  const values = await second.data();
  [0.3, -0.7, 1.1].forEach((v, i) => {
    const t = Math.tanh(v);
    assert.ok(Math.abs((values[i] ?? Number.NaN) - -2 * t * (1 - t * t)) < 1e-5);
  });
});
