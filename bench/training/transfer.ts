// node --import tsx bench/training/transfer.ts: what a net that knows the digits 0-4 brings to 5-9 with few labels.
//
// Two convolutions and a linear head learn 0-4 from their 30,596 training images. Then 5-9 are learnt from a few labels of each class: from
// scratch; with the trained body frozen and a new head; and fine-tuned, the body at 0.1 of the head's rate. Each with the same images,
// steps and schedule; the rate of each way is the best of three, by accuracy on 5-9 of training images that nobody learnt from.
// Accuracy on the 4,861 test images of 5-9: median and range over seeds 1 to 5, which choose weights, labels and order.
import { data, nn, optim, schedule, train, transfer } from '../../src/index.js';
import { printTable, seeds, spread } from './table.js';

const STEPS = 200;
const BATCH = 50;
const labels = [5, 10, 50];
const rates = [0.02, 0.05, 0.1];
const ways = ['from scratch', 'frozen body', 'fine-tuned'] as const;
type Way = (typeof ways)[number];

const { train: images, test } = await data.mnist();
const known = images.filter((digit) => digit < 5);
const asNew = (digits: data.Dataset): data.Dataset => digits.filter((y) => y >= 5).relabel((y) => y - 5);
const fresh = asNew(images);
const held = asNew(test).batch(500);

const net = (): nn.Sequential => nn.models.lenet({ outputs: 5, filters: [8, 16], padding: 'same', hidden: [] });
const falling = (lr: number, steps: number): schedule.Schedule => schedule.cosine({ from: lr, steps });

async function teach(seed: number): Promise<nn.Weights> {
  using model = net();
  const optimizer = optim.sgd({ lr: falling(0.05, 240), momentum: 0.9, weightDecay: 5e-4 });
  await using run = train.fit(model, { data: known.shuffle().batch(128), epochs: 1, seed, optimizer });
  await run.result;
  return model.stateDict();
}

/** So many of each class, and some others to choose the rate by. */
function few(perClass: number, seed: number): { training: data.Dataset; validation: data.Dataset } {
  const [order, rest] = fresh.split(0.5, { seed, stratify: true });
  const taken = new Map<number, number>();
  const training = order.filter((y) => {
    const count = taken.get(y) ?? 0;
    taken.set(y, count + 1);
    return count < perClass;
  });
  return { training, validation: rest.take(2000) };
}

async function learn(way: Way, lr: number, before: nn.Weights, seed: number, perClass: number) {
  const { training, validation } = few(perClass, seed);
  using model = net();
  model.build([28, 28, 1], seed);
  if (way !== 'from scratch') {
    model.loadStateDict(before);
    transfer.replaceHead(model, { units: 5, seed });
  }
  if (way === 'frozen body') transfer.freeze(model, /^(?!dense1)/);
  const base = { lr: falling(lr, STEPS), momentum: 0.9, weightDecay: 5e-4 };
  const optimizer = optim.sgd(way === 'fine-tuned' ? transfer.fineTune(model, base) : base);
  const loader = training.shuffle().batch(BATCH);
  const epochs = Math.ceil(STEPS / loader.batchesPerEpoch);
  await using run = train.fit(model, { data: loader, epochs, seed, optimizer });
  await run.result;
  const accuracyOn = async (set: data.Loader): Promise<number> =>
    (await train.evaluate(model, { data: set })).accuracy ?? Number.NaN;
  return { validated: await accuracyOn(validation.batch(500)), tested: await accuracyOn(held) };
}

const started = performance.now();
const results = new Map<string, number[]>();
for (const seed of seeds) {
  const before = await teach(seed);
  for (const perClass of labels) {
    for (const way of ways) {
      let best = { validated: -1, tested: Number.NaN };
      for (const lr of rates) {
        const found = await learn(way, lr, before, seed, perClass);
        if (found.validated > best.validated) best = found;
      }
      const key = `${way} ${perClass}`;
      results.set(key, [...(results.get(key) ?? []), best.tested]);
    }
  }
}
printTable(
  ['labels of each class', ...ways],
  labels.map((count) => [String(count), ...ways.map((way) => spread(results.get(`${way} ${count}`) ?? []))]),
);
console.log(`\n${((performance.now() - started) / 1e3).toFixed(0)} s`);
