// The objective of search_body.ts, as a module of its own: a linear model's loss after an epoch, on the device of the thread.
import { nn, optim, type search, train } from '../../src/index.js';
import { blobs } from '../support/blobs.js';

const data = blobs(48, 1).batch(16);

export default async function objective({ lr }: { readonly lr: number }): Promise<search.Outcome> {
  using model = nn.sequential([nn.dense({ units: 3 })]);
  await using run = train.fit(model, { data, epochs: 1, optimizer: optim.sgd({ lr }), seed: 1, capture: false });
  const { history } = await run.result;
  const place = model.namedParameters().get('dense1.weight')?.device ?? 'cpu';
  return { value: history[0]?.metrics.loss ?? Number.NaN, metrics: { gpu: Number(place !== 'cpu') } };
}
