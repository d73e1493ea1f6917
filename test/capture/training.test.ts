// A captured training step does what the same step does as it is, bit for bit.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cpuInfo, setThreads } from '../../src/backend/device.js';
import * as nn from '../../src/nn/index.js';
import { adamw, rmsprop, sgd } from '../../src/optim/index.js';
import { cosine, exponential } from '../../src/schedule/index.js';
import { balanced, compareRuns, trainable } from './setup.js';

const { threads } = cpuInfo();
after(() => setThreads(threads));

const batches = (sizes: readonly number[]) => sizes.map((size, i) => ({ size, seed: 11 + i }));

balanced(
  'an MLP with dropout, AdamW, a schedule, clipping and averaged weights; the last batch of an epoch is smaller',
  async () => {
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
        adamw({
          lr: cosine({ from: 0.01, steps: 12 }),
          weightDecay: 0.1,
          clipNorm: 0.5,
          ema: { decay: 0.9 },
          amsgrad: true,
        }),
      );
    using step = await compareRuns(make, batches([8, 8, 3, 8, 8, 3, 8, 8]), [21], 5);
    assert.deepEqual(
      step.plans.map(({ inputs }) => inputs),
      ['x: f32 [8,21], y: i32 [8]', 'x: f32 [3,21], y: i32 [3]'],
    );
    for (const { arenaBytes, temporaryBytes } of step.plans) assert.ok(arenaBytes < temporaryBytes);
  },
);

for (const count of [1, 2, 3]) {
  balanced(`a conv net with batch norm, pooling and SGD, on ${count} threads`, async () => {
    setThreads(count);
    const make = () =>
      trainable(
        nn.sequential([
          nn.conv2d({ filters: 6, kernelSize: 3, padding: 'same' }),
          nn.batchNorm(),
          nn.activation('relu'),
          nn.maxPool2d(2),
          nn.depthwiseConv2d({ kernelSize: 3, activation: 'tanh' }),
          nn.avgPool2d(2),
          nn.flatten(),
          nn.dense({ units: 4 }),
        ]),
        [12, 12, 2],
        sgd({ lr: exponential({ from: 0.1, k: 0.1 }), momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
      );
    using step = await compareRuns(make, batches([4, 4, 4, 4, 4]), [12, 12, 2], 4);
    assert.equal(step.plans.length, 1);
  });
}

balanced('an embedding with RMSprop', async () => {
  const make = () =>
    trainable(
      nn.sequential([nn.dense({ units: 9, activation: 'sigmoid' }), nn.dense({ units: 3 })]),
      [7],
      rmsprop({ lr: 0.01, momentum: 0.5, centered: true }),
    );
  using step = await compareRuns(make, batches([6, 6, 6, 6]), [7], 3);
  assert.equal(step.plans.length, 1);
});
