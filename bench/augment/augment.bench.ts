// `npm run bench:augment`: images/s of augmentation beside the rate of the training step that they are for, and what that step
// loses to it. A batch is changed on one thread of Node.js's pool while the device computes.
import { cpus } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { data, nn, optim, train } from '../../src/index.js';

const BATCH = 128;
const SAMPLES = 7;
const BATCHES = 200;
const STEPS = 50;
const TURNS = 5;

type Shape = readonly [height: number, width: number, channels: number];

const usual = [data.flip(), data.crop({ padding: 4 }), data.cutout({ size: 8 })];
const lists: readonly [string, readonly data.Transform[]][] = [
  ['flip, crop, cutout', usual],
  ['flip', [data.flip()]],
  ['crop, padding 4', [data.crop({ padding: 4 })]],
  ['cutout 8', [data.cutout({ size: 8 })]],
  ['rotate 10 degrees', [data.rotate({ degrees: 10 })]],
  ['brightness, contrast', [data.colour({ brightness: 0.2, contrast: 0.2 })]],
  ['mixup', [data.mixup()]],
  ['cutmix', [data.cutmix()]],
];
const shapes: readonly Shape[] = [
  [28, 28, 1],
  [32, 32, 3],
];

/** Random bytes that repeat as they are needed. */
function images(count: number, [height, width, channels]: Shape): data.Dataset {
  const pixels = new Uint8Array(count * height * width * channels);
  for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 2654435761) >>> 13;
  const x = { data: pixels, shape: [count, height, width, channels], dtype: 'u8' } as const;
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10);
  return data.Dataset.fromArrays(
    { x, y: { data: labels, shape: [count], dtype: 'i32' } },
    { normalize: { scale: 1 / 255, offset: 0 } },
  );
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const round = (value: number): string => Math.round(value).toLocaleString('en');

/** Images/s that come out of a loader, batch after batch; the median of a few passes. */
async function rate(loader: data.Loader): Promise<number> {
  const rates: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = performance.now();
    let count = 0;
    for await (const { size } of loader.epoch(sample)) count += size;
    rates.push((1e3 * count) / (performance.now() - start));
  }
  return median(rates);
}

interface Told {
  readonly rate: number;
  readonly delayMs: number;
}

/** Images/s of training in each epoch after one to warm up, and the longest time for which the event loop did not turn. */
async function trainingRates(loader: data.Loader): Promise<Told[]> {
  const model = nn.models.lenet({ padding: 'same' });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  await using run = train.fit(model, { data: loader, epochs: 3, optimizer: optim.sgd({ lr: 0.01, momentum: 0.9 }) });
  const told: Told[] = [];
  for await (const event of run) {
    if (event.type !== 'epoch') continue;
    if (event.epoch > 0) told.push({ rate: event.samplesPerSecond, delayMs: delay.max / 1e6 });
    delay.enable();
    delay.reset();
  }
  delay.disable();
  return told;
}

console.log(`Augmentation of batches of ${BATCH}, u8, images/s; ${cpus().length} cores\n`);
console.log(`| | ${shapes.map((shape) => shape.join('x')).join(' | ')} |\n|---|${shapes.map(() => '---|').join('')}`);
for (const [name, list] of lists) {
  const cells: string[] = [];
  for (const shape of shapes)
    cells.push(
      round(
        await rate(
          images(BATCH * BATCHES, shape)
            .batch(BATCH)
            .augment(list),
        ),
      ),
    );
  console.log(`| ${name} | ${cells.join(' | ')} |`);
}
console.log(
  '\nTraining step of the LeNet, images/s, and the longest delay of the event loop: medians of epochs, in turns\n',
);
console.log('| | plain | augmented (flip, crop, cutout) |\n|---|---|---|');
for (const shape of shapes) {
  const loader = images(BATCH * STEPS, shape)
    .shuffle()
    .batch(BATCH);
  const ways = [loader, loader.augment(usual)].map((way) => ({ way, told: [] as Told[] }));
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { way, told } of ways) told.push(...(await trainingRates(way)));
  }
  const cells = ways.map(({ told }) => {
    const delay = median(told.map(({ delayMs }) => delayMs));
    return `${round(median(told.map(({ rate: perSecond }) => perSecond)))}, ${delay.toFixed(1)} ms`;
  });
  console.log(`| ${shape.join('x')} | ${cells.join(' | ')} |`);
}
