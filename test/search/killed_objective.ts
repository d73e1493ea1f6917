// The objective of killed.test.ts, as a module of its own: the same parameters give the same bits, in whichever thread.
import * as nn from '../../src/nn/index.js';
import { sgd } from '../../src/optim/index.js';
import { type Outcome, reporting, type Trial } from '../../src/search/index.js';
import * as train from '../../src/train/index.js';
import { data } from '../train/setup.js';

export default async function objective(
  { lr, units }: { readonly lr: number; readonly units: number },
  trial: Trial,
): Promise<Outcome> {
  if (trial.number % 7 === 3) throw new Error('this one always fails');
  using model = nn.sequential([nn.dense({ units, activation: 'relu' }), nn.dense({ units: 3 })]);
  const callbacks = [reporting(trial, { monitor: 'loss' })];
  await using run = train.fit(model, { data, epochs: 3, optimizer: sgd({ lr }), seed: 1, callbacks });
  const { loss = Number.NaN, accuracy = Number.NaN } = (await run.result).history.at(-1)?.metrics ?? {};
  return { value: loss, metrics: { accuracy } };
}
