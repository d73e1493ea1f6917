// node --import tsx bench/training/large_batch.ts: what the rate has to become when batches grow.
//
// A perceptron of 128 hidden units learns the 60,000 MNIST digits for 4 epochs at every batch size, SGD with momentum 0.9, the rate falling
// to 0 as a cosine. For batches of 128 it is 0.05. Larger batches make fewer updates: with the same rate; with the rate by
// `optim.scaleLearningRate`, linear or by the square root, at once; and after a warmup from 0.05 in the first epoch. Batches of more than
// 512 are accumulated from 512 each. Accuracy on the 10,000 test images after the last epoch, median and range over seeds 1 to 5.
import { AnnealError, data, nn, optim, schedule, train } from '../../src/index.js';
import { printTable, seeds, spread } from './table.js';

const EPOCHS = 4;
const BASE = { rate: 0.05, batch: 128 };
const PART = 512;
const batches = [128, 512, 1024, 2048, 4096];
const ways = [
  { name: 'same rate', rule: null, warmup: false },
  { name: 'linear', rule: 'linear', warmup: false },
  { name: 'linear, warmup', rule: 'linear', warmup: true },
  { name: 'square root, warmup', rule: 'sqrt', warmup: true },
] as const;

const { train: images, test } = await data.mnist();
const validation = test.batch(500);

async function accuracy(batch: number, { rule, warmup }: (typeof ways)[number], seed: number): Promise<number> {
  const accumulate = Math.max(1, batch / PART);
  const loader = images.shuffle().batch(batch / accumulate);
  const steps = Math.ceil(loader.batchesPerEpoch / accumulate);
  const base = BASE.rate;
  const rate = rule === null ? base : optim.scaleLearningRate({ base, from: BASE.batch, to: batch, rule });
  const lr = warmup
    ? schedule.join([
        schedule.warmup({ from: base, to: rate, steps }),
        schedule.cosine({ from: rate, steps: (EPOCHS - 1) * steps }),
      ])
    : schedule.cosine({ from: rate, steps: EPOCHS * steps });
  using model = nn.models.mlp({ hidden: [128], outputs: 10 });
  const optimizer = optim.sgd({ lr, momentum: 0.9 });
  await using run = train.fit(model, { data: loader, accumulate, epochs: EPOCHS, seed, optimizer });
  try {
    await run.result;
  } catch (error) {
    if (error instanceof AnnealError && error.code === 'E_NONFINITE') return 0.1; // diverged: as good as guessing
    throw error;
  }
  return (await train.evaluate(model, { data: validation })).accuracy ?? Number.NaN;
}

const started = performance.now();
const rows: string[][] = [];
for (const batch of batches) {
  const cells = [];
  for (const way of ways) {
    // Without more samples there is nothing to scale.
    if (batch === BASE.batch && way.rule !== null) {
      cells.push('');
      continue;
    }
    const values = [];
    for (const seed of seeds) values.push(await accuracy(batch, way, seed));
    cells.push(spread(values));
  }
  rows.push([String(batch), String(Math.ceil(images.length / batch) * EPOCHS), ...cells]);
}
printTable(['batch', 'updates', ...ways.map(({ name }) => name)], rows);
console.log(`\n${((performance.now() - started) / 1e3).toFixed(0)} s`);
