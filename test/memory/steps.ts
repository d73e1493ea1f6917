// Run by steps.test.ts with --expose-gc: trains a small net and tells how memory went, as JSON.
import { memory } from '../../src/device.js';
import { sgd } from '../../src/optim/index.js';
import { liveTensors } from '../../src/tensor/tensor.js';
import * as train from '../../src/train/index.js';
import { blobs, mlp } from '../support/blobs.js';

const [warmUp, measured] = [Number(process.argv[2]), Number(process.argv[3])];
const STEPS_PER_EPOCH = 100;
const data = blobs(32 * STEPS_PER_EPOCH, 1)
  .shuffle()
  .batch(32);

interface Sample {
  readonly step: number;
  readonly rss: number;
  readonly tensors: number;
  readonly buffers: number;
  readonly liveBytes: number;
}

const samples: Sample[] = [];

async function sample(step: number): Promise<void> {
  // What V8 has not collected yet is no leak, nor is what it has yet to give back: the least of several looks counts.
  let rss = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 5; look++) {
    globalThis.gc?.();
    await new Promise((done) => setTimeout(done, 20));
    rss = Math.min(rss, process.memoryUsage.rss());
  }
  const { liveBuffers, liveBytes } = memory();
  samples.push({ step, rss, tensors: liveTensors(), buffers: liveBuffers, liveBytes });
}

const before = { tensors: liveTensors(), buffers: memory().liveBuffers };
const model = mlp(0.1);
{
  await using run = train.fit(model, {
    data,
    validation: blobs(64, 2).batch(32),
    // More than are looked at, and than a run is ahead of who listens: at its end it gives back what it holds.
    epochs: (warmUp + measured) / STEPS_PER_EPOCH + 5,
    optimizer: sgd({ lr: 0.05, momentum: 0.9, ema: { decay: 0.99 } }),
    callbacks: [train.updateRatio({ every: 20 })],
  });
  for await (const event of run) {
    if (event.type !== 'epoch' || event.step < warmUp || event.step > warmUp + measured) continue;
    if (event.step % 1000 === 0) await sample(event.step);
  }
}
model.dispose();
console.log(JSON.stringify({ before, samples, after: { tensors: liveTensors(), buffers: memory().liveBuffers } }));
