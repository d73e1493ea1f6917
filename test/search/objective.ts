// The objective of workers.test.ts, as a module of its own.
import { threadId } from 'node:worker_threads';
import { cpuInfo } from '../../src/device.js';
import * as nn from '../../src/nn/index.js';
import { sgd } from '../../src/optim/index.js';
import type { Outcome, Trial } from '../../src/search/index.js';
import * as train from '../../src/train/index.js';
import { data } from '../train/setup.js';

interface Parameters {
  readonly lr: number;
  readonly units: number;
  readonly mode?: string;
}

export default async function objective({ lr, units, mode = 'train' }: Parameters, trial: Trial): Promise<Outcome> {
  if (mode === 'exit') process.exit(3);
  if (mode === 'throw') throw new Error('thrown in a worker');
  for (let step = 0; mode === 'report' && !(await trial.report(step, step)); step++);
  if (mode === 'endless') {
    await trial.report(0, 0);
    for (;;);
  }
  using model = nn.sequential([nn.dense({ units, activation: 'relu' }), nn.dense({ units: 3 })]);
  await using run = train.fit(model, { data, epochs: 1, optimizer: sgd({ lr }), seed: 1 });
  const { history } = await run.result;
  const value = history[0]?.metrics.loss ?? Number.NaN;
  return { value, metrics: { threads: cpuInfo().threads, thread: threadId } };
}
