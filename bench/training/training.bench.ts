// npm run bench:training [-- --epochs 3 --seeds 1,2,3,4,5 --only cosine,step --out FILE]: what each practice of training brings on MNIST.
//
// Every practice trains on 55,000 of the training images with each seed, is validated on the other 5,000 after each epoch, and tested
// once, at its end, on the 10,000 test images: with the weights as they are, and with their average. A run that is in the file of
// results already is not made again; a run is the same bits on every machine with the same kernels. The table holds the median over
// the seeds, the worst and the best.
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { data, device, io, train } from '../../src/index.js';
import { type Practice, practices } from './practices.js';
import { median, printTable, spread } from './table.js';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string' },
    seeds: { type: 'string', default: '1,2,3,4,5' },
    only: { type: 'string', default: '' },
    out: { type: 'string', default: 'bench/results/training.json' },
    images: { type: 'string', default: '55000' },
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
  /** On the test images: of the weights at the end, or of those that were restored; and of the average as it ended. */
  readonly accuracy: number | null;
  readonly emaAccuracy: number | null;
  readonly loss: number | null;
  readonly seconds: number;
}

const asked = values.epochs === undefined ? undefined : Number(values.epochs);
const epochsOf = (practice: Practice): number => asked ?? practice.epochs;
const images = Number(values.images);
const seeds = values.seeds.split(',').map(Number);
const only = values.only.split(',').filter((name) => name !== '');
for (const [name, number] of Object.entries({
  epochs: asked ?? 1,
  images,
  ...Object.fromEntries(seeds.map((s, i) => [`seed ${i + 1}`, s])),
}))
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`expected ${name} to be an integer of at least 1`);
const chosen = practices.filter(({ name }) => only.length === 0 || only.includes(name));
if (chosen.length === 0)
  throw new Error(`expected --only to name some of ${practices.map(({ name }) => name).join(', ')}`);

const { train: whole, test } = await data.mnist();
const [kept, held] = whole.split(55 / 60, { stratify: true });
const trainSet = kept.take(images);
const validation = held.batch(500);
const tested = test.batch(500);
const outcomes: Outcome[] = existsSync(values.out) ? JSON.parse(readFileSync(values.out, 'utf8')).outcomes : [];

async function run(practice: Practice, seed: number): Promise<Outcome> {
  const epochs = epochsOf(practice);
  const { model, options } = practice.make(trainSet, epochs);
  const look = () => train.evaluate(model, { data: tested });
  try {
    await using fitting = train.fit(model, { ...options, validation, epochs, seed });
    const end = await fitting.result.catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'E_NONFINITE') return null;
      throw error;
    });
    const raw = end && (await look());
    const averaged =
      end &&
      (await fitting.optimizer?.withEma(async () => {
        if (typeof options.refreshStatistics === 'number')
          await train.refreshStatistics(model, options.data, { batches: options.refreshStatistics });
        return look();
      }));
    const history = end?.history ?? [];
    return {
      practice: practice.name,
      epochs,
      images,
      seed,
      trained: history.length,
      stopReason: end?.stopReason ?? 'nonfinite',
      accuracy: raw?.accuracy ?? null,
      emaAccuracy: averaged?.accuracy ?? null,
      loss: raw?.loss ?? null,
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
const matches = (one: Outcome, practice: Practice, seed: number): boolean =>
  one.practice === practice.name && one.epochs === epochsOf(practice) && one.images === images && one.seed === seed;
for (const practice of chosen) {
  for (const seed of seeds) {
    if (outcomes.some((one) => matches(one, practice, seed))) continue;
    const outcome = await run(practice, seed);
    outcomes.push(outcome);
    await io.writeFileAtomic(values.out, [`${JSON.stringify({ machine, outcomes }, null, 1)}\n`]);
    console.error(`${practice.name}, seed ${seed}: ${spread([outcome.accuracy])} in ${outcome.seconds} s`);
  }
}

console.log(`MNIST, ${images} images, seeds ${seeds.join(', ')}; test accuracy: median (worst – best)\n`);
printTable(
  ['practice', '', 'raw weights', 'averaged (EMA)', 'test loss', 'epochs'],
  chosen.map((practice) => {
    const own = outcomes.filter((one) => seeds.some((seed) => matches(one, practice, seed)));
    const of = <K extends keyof Outcome>(key: K): Outcome[K][] => own.map((one) => one[key]);
    const failed = own.filter(({ stopReason }) => stopReason === 'nonfinite').length;
    const trained = median(of('trained'));
    return [
      practice.name,
      practice.about,
      spread(of('accuracy')),
      spread(of('emaAccuracy')),
      median(of('loss')).toPrecision(3),
      `${trained}${trained < epochsOf(practice) ? ` of ${epochsOf(practice)}` : ''}${failed > 0 ? `, ${failed} not finite` : ''}`,
    ];
  }),
);
