// A run that checkpoints at every few steps, goes on from where its folder stands, and prints a digest of what it ends with.
import { createHash } from 'node:crypto';
import { adam } from '../../src/optim/index.js';
import * as schedule from '../../src/schedule/index.js';
import * as train from '../../src/train/index.js';
import { mlp } from '../support/blobs.js';
import { data, validation } from './setup.js';

const directory = process.argv[2] ?? '';
const epochs = 40; // of 6 steps

const model = mlp(0.2);
await using run = train.fit(model, {
  data,
  validation,
  epochs,
  seed: 11,
  optimizer: adam({ lr: schedule.cosine({ from: 0.02, steps: 6 * epochs }), ema: { decay: 0.95 } }),
  callbacks: [
    train.earlyStopping({ monitor: 'ema_val_loss', patience: Number.POSITIVE_INFINITY, restoreBest: true }),
    train.checkpoint({ directory, everySteps: 3 }),
  ],
  resume: directory,
});
for await (const event of run) if (event.type === 'step') console.log(`step ${event.step}`);
const { history, best } = await run.result;
const hash = createHash('sha256');
for (const { data: values } of (await model.stateDict()).values()) hash.update(values);
hash.update(JSON.stringify([best, history.map(({ metrics }) => metrics)]));
console.log(`digest ${hash.digest('hex')}`);
