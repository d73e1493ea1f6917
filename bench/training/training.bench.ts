// npm run bench:training [-- --epochs 3 --seeds 1,2,3,4,5 --only cosine,step --out FILE]: what each practice of training brings on MNIST.
//
// Every practice trains the quickstart's CNN on the 60,000 training images with each seed, and is looked at on the 10,000 test
// images after each epoch: so the figures compare practices, and are no estimate of what an unseen set would give. A run that is in
// the file of results already is not made again; a run is the same bits on every machine with the same kernels. The table holds
// the median over the seeds, the worst and the best.
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { data, device, io, train } from '../../src/index.js';
import { metricValue } from '../../src/report/format.js';
import { type Practice, practices } from './practices.js';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '3' },
    seeds: { type: 'string', default: '1,2,3,4,5' },
    only: { type: 'string', default: '' },
    out: { type: 'string', default: 'bench/results/training.json' },
    images: { type: 'string', default: '60000' },
  },
});

interface Outcome {
  readonly practice: string;
  readonly epochs: number;
  readonly images: number;
  readonly seed: number;
  /** Epochs that were trained: fewer where the run was stopped. */
  readonly trained: number;
  readonly stopReason: string;
  /** Of the raw and of the averaged weights at the end, or of those that were restored. */
  readonly accuracy: number;
  readonly emaAccuracy: number;
  readonly loss: number;
  readonly seconds: number;
}

const epochs = Number(values.epochs);
const images = Number(values.images);
const seeds = values.seeds.split(',').map(Number);
const only = values.only.split(',').filter((name) => name !== '');
for (const [name, number] of Object.entries({
  epochs,
  images,
  ...Object.fromEntries(seeds.map((s, i) => [`seed ${i + 1}`, s])),
}))
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`expected ${name} to be an integer of at least 1`);
const chosen = practices.filter(({ name }) => only.length === 0 || only.includes(name));
if (chosen.length === 0)
  throw new Error(`expected --only to name some of ${practices.map(({ name }) => name).join(', ')}`);

const { train: whole, test } = await data.mnist();
const trainSet = whole.take(images);
const validation = test.batch(500);
const outcomes: Outcome[] = existsSync(values.out) ? JSON.parse(readFileSync(values.out, 'utf8')).outcomes : [];

async function run(practice: Practice, seed: number): Promise<Outcome> {
  const { model, options } = practice.make(trainSet, epochs);
  try {
    await using fitting = train.fit(model, { ...options, validation, epochs, seed });
    const { history, best, stopReason } = await fitting.result.catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'E_NONFINITE')
        return { history: [], best: null, stopReason: 'nonfinite' };
      throw error;
    });
    // The epoch whose weights the model has at the end.
    const shown = best?.restored ? history[best.epoch] : history.at(-1);
    const { val_accuracy = Number.NaN, ema_val_accuracy = Number.NaN, val_loss = Number.NaN } = shown?.metrics ?? {};
    return {
      practice: practice.name,
      epochs,
      images,
      seed,
      trained: history.length,
      stopReason,
      accuracy: val_accuracy,
      emaAccuracy: ema_val_accuracy,
      loss: val_loss,
      seconds: Math.round(history.reduce((sum, { seconds }) => sum + seconds, 0)),
    };
  } finally {
    model.dispose();
  }
}

const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  kernels: device.devices()[0]?.detail ?? '',
  node: process.version,
};
for (const practice of chosen) {
  for (const seed of seeds) {
    const done = outcomes.some(
      (one) => one.practice === practice.name && one.epochs === epochs && one.images === images && one.seed === seed,
    );
    if (done) continue;
    const outcome = await run(practice, seed);
    outcomes.push(outcome);
    await io.writeFileAtomic(values.out, [`${JSON.stringify({ machine, outcomes }, null, 1)}\n`]);
    console.error(
      `${practice.name}, seed ${seed}: ${metricValue('accuracy', outcome.accuracy)} in ${outcome.seconds} s`,
    );
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

const percent = (value: number): string => metricValue('accuracy', value);
console.log(
  `MNIST, ${images} images, ${epochs} epochs, seeds ${seeds.join(', ')}; test accuracy: median (worst to best)\n`,
);
console.log('| practice | | raw weights | averaged (EMA) | test loss | epochs |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const { name, about } of chosen) {
  const own = outcomes.filter(
    (one) => one.practice === name && one.epochs === epochs && one.images === images && seeds.includes(one.seed),
  );
  const spread = (pick: (one: Outcome) => number): string => {
    const all = own.map(pick);
    return `${percent(median(all))} (${percent(Math.min(...all))} to ${percent(Math.max(...all))})`;
  };
  const failed = own.filter(({ stopReason }) => stopReason === 'nonfinite').length;
  const trained = median(own.map((one) => one.trained));
  console.log(
    `| ${name} | ${about} | ${spread((one) => one.accuracy)} | ${spread((one) => one.emaAccuracy)} | ${median(own.map((one) => one.loss)).toPrecision(3)} | ${trained}${failed > 0 ? `, ${failed} not finite` : ''} |`,
  );
}
