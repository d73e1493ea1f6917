// A run captures its step by itself; what cannot be captured trains op by op and says why.
import assert from 'node:assert/strict';
import * as nn from '../../src/nn/index.js';
import * as ops from '../../src/ops/index.js';
import { adamw } from '../../src/optim/index.js';
import { cosine } from '../../src/schedule/index.js';
import { keep } from '../../src/tensor/scope.js';
import type { Tensor } from '../../src/tensor/tensor.js';
import * as train from '../../src/train/index.js';
import { mlp } from '../support/blobs.js';
import { balanced, collect, ofType, trainSet, validation } from './setup.js';

// 192 examples: the last batch of an epoch is smaller.
const data = trainSet.shuffle().batch(40);
const VALIDATION_BATCHES = 3;
const spec = adamw({
  lr: cosine({ from: 0.05, steps: 20 }),
  weightDecay: 0.01,
  clipNorm: 1,
  ema: { decay: 0.9 },
});

const withoutTimes = (events: readonly train.TrainEvent[]) =>
  events.map((event) => ({ ...event, ms: 0, seconds: 0, samplesPerSecond: 0 }));

async function eventsOf(capture: boolean, loss?: train.LossFunction, model = mlp(0.2)): Promise<train.TrainEvent[]> {
  using net = model;
  await using run = train.fit(net, {
    data,
    validation,
    epochs: 4,
    optimizer: spec,
    seed: 3,
    capture,
    metrics: ['accuracy'],
    callbacks: [train.updateRatio({ every: 3, action: 'none' })],
    ...(loss ? { loss } : {}),
  });
  return await collect(run);
}

balanced('captured and op by op, a run tells the same to the last bit', async () => {
  const [captured, eager] = [await eventsOf(true), await eventsOf(false)];
  assert.deepEqual(withoutTimes(captured), withoutTimes(eager));
  assert.equal(ofType(captured, 'step').length, 20);
  assert.deepEqual(ofType(captured, 'warning'), []);
});

balanced('a loss that looks at values runs op by op, and a warning says why', async () => {
  const seen: number[] = [];
  const loss = (output: Tensor, target: Tensor): Tensor => {
    const value = ops.softmaxCrossEntropy(output, target);
    seen.push(value.itemSync());
    return value;
  };
  const [captured, eager] = [await eventsOf(true, loss), await eventsOf(false, loss)];
  const warnings = ofType(captured, 'warning').map(({ message }) => message);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^the training step runs op by op: capture: .* one that calls dataSync\(\)/);
  assert.deepEqual(
    withoutTimes(captured).filter(({ type }) => type !== 'warning'),
    withoutTimes(eager),
  );
  const half = seen.length / 2;
  assert.deepEqual(seen.slice(0, half), seen.slice(half));
});

balanced('so does one that draws on the host, which would be the same number for ever', async () => {
  let draws = 0;
  const loss = (output: Tensor, target: Tensor): Tensor => {
    draws++;
    return ops.mul(ops.softmaxCrossEntropy(output, target), 1 + (draws % 7));
  };
  const events = await eventsOf(true, loss);
  assert.match(
    ofType(events, 'warning')[0]?.message ?? '',
    /enqueues the same ops each time, received one where the (parameters|operands) of op \d+ \(\w+\) changed/,
  );
  // Each step, and each validation batch with weights and averages.
  assert.equal(draws, 20 + 4 * 2 * VALIDATION_BATCHES);
});

balanced('a layer that makes what it needs when it first runs is captured all the same', async () => {
  class Lazy extends nn.Module {
    readonly kind = 'lazy';
    calls = 0;
    #scale: Tensor<'f32'> | null = null;
    override create(input: readonly number[]) {
      return input;
    }
    override forward(x: Tensor): Tensor {
      this.calls++;
      this.#scale ??= this.buffer('scale', keep(ops.full([1], 0.5)));
      return ops.mul(x, this.#scale);
    }
  }
  const lazy = new Lazy();
  const model = nn.sequential([nn.dense({ units: 8, activation: 'relu' }), lazy, nn.dense({ units: 3 })]);
  const events = await eventsOf(true, undefined, model);
  assert.deepEqual(ofType(events, 'warning'), []);
  // 20 steps, of which at most three of each batch size ran in JavaScript; the rest are validation batches.
  assert.ok(lazy.calls <= 6 + 4 * 2 * VALIDATION_BATCHES, `${lazy.calls} calls`);
});
