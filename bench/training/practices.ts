// What is compared: one net, one data set, and a practice at a time. Each is a recipe for a run of some epochs.
import { data, nn, optim, schedule, train } from '../../src/index.js';

/** Batch 128, the peak of every schedule where nothing else is said. */
export const BATCH = 128;
const PEAK = 0.05;
const MOMENTUM = 0.9;
const WEIGHT_DECAY = 5e-4;
/** Epochs in which a constant rate stops gaining. */
const LONG = 12;

export interface Recipe {
  readonly model: nn.Sequential;
  readonly options: Omit<train.FitOptions, 'validation' | 'epochs' | 'seed'>;
}

export interface Practice {
  readonly name: string;
  /** A line for the table. */
  readonly about: string;
  /** Where the command says nothing else. */
  readonly epochs: number;
  make(trainSet: data.Dataset, epochs: number): Recipe;
}

const lenet = () => nn.models.lenet({ filters: [32, 64], padding: 'same', hidden: [256] });

/** A schedule of the learning rate; all else as in every other run. */
function scheduled(
  name: string,
  about: string,
  rate: (steps: number, stepsPerEpoch: number) => optim.OptimizerSpec['options']['lr'],
  more: Partial<optim.SgdOptions> = {},
  callbacks: () => readonly train.Callback[] = () => [],
  epochs = 3,
): Practice {
  return {
    name,
    about,
    epochs,
    make(trainSet, epochs) {
      const loader = trainSet.shuffle().batch(BATCH);
      const steps = loader.batchesPerEpoch * epochs;
      const optimizer = optim.sgd({
        lr: rate(steps, loader.batchesPerEpoch),
        momentum: MOMENTUM,
        weightDecay: WEIGHT_DECAY,
        ema: { decay: 0.99 },
        ...more,
      });
      return { model: lenet(), options: { data: loader, optimizer, callbacks: callbacks() } };
    },
  };
}

const warmedUp = (steps: number, rest: (steps: number) => schedule.Schedule, to = PEAK): schedule.Schedule => {
  const warmup = Math.min(200, Math.floor(steps / 10));
  return schedule.join([schedule.warmup({ to, steps: warmup }), rest(steps - warmup)]);
};
const cosine = (steps: number, from = PEAK): schedule.Schedule =>
  warmedUp(steps, (rest) => schedule.cosine({ from, steps: rest }), from);

export const practices: readonly Practice[] = [
  scheduled('constant', `rate ${PEAK} throughout`, () => PEAK),
  scheduled('step', 'a tenth at half and at three quarters', (steps) =>
    schedule.milestones({ from: PEAK, gamma: 0.1, milestones: [Math.floor(steps / 2), Math.floor((3 * steps) / 4)] }),
  ),
  scheduled('exponential', 'down to a hundredth', (steps) =>
    schedule.exponential({ from: PEAK, k: Math.log(100) / steps }),
  ),
  scheduled('linear', 'down to 0', (steps) => schedule.linear({ from: PEAK, steps })),
  scheduled('cosine', 'down to 0', (steps) => schedule.cosine({ from: PEAK, steps })),
  scheduled('warmup-cosine', 'the same after a warmup', (steps) => cosine(steps)),
  scheduled('inverse-sqrt', 'after a warmup of a tenth', (steps) =>
    schedule.inverseSqrtWarmup({ to: PEAK, warmup: Math.floor(steps / 10) }),
  ),
  scheduled('cosine-restarts', 'one wave an epoch', (_steps, stepsPerEpoch) =>
    schedule.cosineRestarts({ from: PEAK, T0: stepsPerEpoch }),
  ),
  scheduled(
    'one-cycle',
    'up to twice the rate and down, momentum against it',
    (steps) => schedule.oneCycle({ max: 2 * PEAK, steps }),
    {},
  ),
  scheduled('wsd', 'warmup, stable, decay over the last fifth', (steps) =>
    schedule.wsd({
      max: PEAK,
      warmup: Math.floor(steps / 20),
      stable: Math.floor((3 * steps) / 4),
      decay: Math.floor(steps / 5),
    }),
  ),
  scheduled('high-rate', `cosine from ${8 * PEAK}: too high`, (steps) => schedule.cosine({ from: 8 * PEAK, steps })),
  scheduled(
    'high-rate-clipped',
    'the same, gradients clipped to norm 1',
    (steps) => schedule.cosine({ from: 8 * PEAK, steps }),
    {
      clipNorm: 1,
    },
  ),
  scheduled(
    'constant-long',
    `rate ${PEAK} to the end`,
    () => PEAK,
    {},
    () => [],
    LONG,
  ),
  scheduled(
    'early-stopping',
    'the same with patience 2, best weights restored',
    () => PEAK,
    {},
    () => [train.earlyStopping({ monitor: 'val_loss', patience: 2, restoreBest: true })],
    LONG,
  ),
  scheduled(
    'plateau',
    'a tenth after each epoch that does not improve validation',
    () => PEAK,
    {},
    () => [train.reduceOnPlateau({ monitor: 'val_loss', patience: 0, factor: 0.1 })],
    LONG,
  ),
  {
    name: 'augmented',
    about: 'warmup-cosine, digits shifted by up to 2 pixels and turned by up to 10 degrees',
    epochs: 3,
    make(trainSet, epochs) {
      const { options, model } = recipeOf('warmup-cosine').make(trainSet, epochs);
      return { model, options: { ...options, data: augmented(trainSet) } };
    },
  },
  {
    name: 'best',
    about: 'batch norm, one cycle, augmentation, label smoothing 0.05, EMA',
    epochs: 10,
    make(trainSet, epochs) {
      const loader = augmented(trainSet);
      const steps = Math.ceil(trainSet.length / BATCH) * epochs;
      const conv = (filters: number) => [
        nn.conv2d({ filters, kernelSize: 3, padding: 'same', bias: false }),
        nn.batchNorm(),
        nn.activation('relu'),
      ];
      const model = nn.sequential([
        ...conv(32),
        ...conv(32),
        nn.maxPool2d(2),
        ...conv(64),
        ...conv(64),
        nn.maxPool2d(2),
        nn.flatten(),
        nn.dropout(0.3),
        nn.dense({ units: 128, activation: 'relu' }),
        nn.dense({ units: 10 }),
      ]);
      const optimizer = optim.sgd({
        lr: schedule.oneCycle({ max: 0.2, steps }),
        momentum: MOMENTUM,
        nesterov: true,
        weightDecay: WEIGHT_DECAY,
        ema: { decay: 0.995 },
      });
      return { model, options: { data: loader, optimizer, labelSmoothing: 0.05, refreshStatistics: 100 } };
    },
  },
];

function recipeOf(name: string): Practice {
  const found = practices.find((practice) => practice.name === name);
  if (found === undefined) throw new Error(`expected a practice named ${name}`);
  return found;
}

function augmented(trainSet: data.Dataset): data.Loader {
  return trainSet
    .shuffle()
    .batch(BATCH)
    .augment([data.shift({ by: 2 }), data.rotate({ degrees: 10 })]);
}
