// `anneal quickstart`: a conv net on the full MNIST, with a progress bar, a checkpoint and a report.
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { defaultDevice, setThreads } from '../backend/device.js';
import { mnist } from '../data/index.js';
import { writeCheckpoint } from '../io/checkpoint.js';
import type { JsonValue } from '../io/json.js';
import * as nn from '../nn/index.js';
import * as optim from '../optim/index.js';
import * as report from '../report/index.js';
import * as schedule from '../schedule/index.js';
import type { FitResult } from '../train/index.js';
import * as train from '../train/index.js';
import { type DeviceOptions, useDevice } from './device.js';
import { INTERRUPTED, Interrupt } from './interrupt.js';

export interface QuickstartOptions extends DeviceOptions {
  readonly epochs: number;
  readonly seed: number;
  readonly batchSize: number;
  readonly net: 'cnn' | 'mlp';
  readonly threads?: number;
  /** Only so many training images, and as many test images; without it all. */
  readonly images?: number;
  readonly out: string;
}

const PEAK_LR = 0.05;
const MOMENTUM = 0.9;
const WEIGHT_DECAY = 5e-4;
const EMA_DECAY = 0.99;

function netOf(kind: QuickstartOptions['net']): nn.Sequential {
  if (kind === 'mlp') return nn.models.mlp({ hidden: [128], outputs: 10 });
  return nn.models.lenet({ filters: [32, 64], padding: 'same', hidden: [256] });
}

/** Trains and gives the exit code: 0, or 130 when interrupted. */
export async function quickstart(options: QuickstartOptions): Promise<number> {
  if (options.threads !== undefined) setThreads(options.threads);
  const { name, detail } = await useDevice(options);
  console.log(`Device ${name}: ${detail}. Seed ${options.seed}.`);

  const all = await mnist();
  const some = options.images;
  const { train: trainSet, test } =
    some === undefined ? all : { train: all.train.take(some), test: all.test.take(some) };
  const data = trainSet.shuffle().batch(options.batchSize);
  const total = data.batchesPerEpoch * options.epochs;
  const warmup = Math.min(200, Math.floor(total / 10));
  const lr = schedule.join([
    schedule.warmup({ to: PEAK_LR, steps: warmup }),
    schedule.cosine({ from: PEAK_LR, steps: total - warmup }),
  ]);
  const model = netOf(options.net);
  using interrupt = new Interrupt();

  const { epochs, seed, batchSize, net } = options;
  const settings = { peakLr: PEAK_LR, momentum: MOMENTUM, weightDecay: WEIGHT_DECAY, emaDecay: EMA_DECAY };
  const config = { net, epochs, seed, batchSize, device: defaultDevice(), ...settings };
  try {
    await using run = train.fit(model, {
      data,
      validation: test.batch(500),
      epochs: options.epochs,
      seed: options.seed,
      optimizer: optim.sgd({ lr, momentum: MOMENTUM, weightDecay: WEIGHT_DECAY, ema: { decay: EMA_DECAY } }),
      callbacks: [
        train.earlyStopping({ monitor: 'ema_val_accuracy', patience: Number.POSITIVE_INFINITY, restoreBest: true }),
        report.record({ dir: options.out, title: 'MNIST quickstart', config }),
        report.progress(),
      ],
      signal: interrupt.signal,
    });
    const result = await run.result;
    await save(options, model, lr, result);
    return result.stopReason === 'aborted' ? INTERRUPTED : 0;
  } finally {
    model.dispose();
  }
}

async function save(
  options: QuickstartOptions,
  model: nn.Sequential,
  lr: schedule.Schedule,
  result: FitResult,
): Promise<void> {
  const out = resolve(options.out);
  await mkdir(out, { recursive: true });
  const history: JsonValue[] = result.history.map((event) => ({ ...event, metrics: { ...event.metrics } }));
  const tensors = await model.stateDict();
  const checkpoint = join(out, 'checkpoint');
  await writeCheckpoint(checkpoint, {
    tensors: Object.fromEntries(
      [...tensors].map(([name, { shape, data }]) => [name, { shape, data, dtype: 'f32' as const }]),
    ),
    state: {
      step: result.steps,
      epoch: result.history.length,
      seed: options.seed,
      schedule: lr.toJSON(),
      optimizer: { kind: 'sgd', momentum: MOMENTUM, weightDecay: WEIGHT_DECAY, emaDecay: EMA_DECAY },
      rng: { algorithm: 'philox4x32-10', seed: options.seed },
      history,
      extra: { best: result.best === null ? null : { ...result.best }, stopReason: result.stopReason },
    },
  });
  const { best, stopReason } = result;
  if (stopReason === 'aborted') console.log(`\nInterrupted after ${result.steps} steps.`);
  if (best) {
    console.log(
      `\nBest: test accuracy ${(100 * best.value).toFixed(2)}% with averaged weights after epoch ${best.epoch + 1}; the checkpoint holds those.`,
    );
  }
  const shown = (path: string): string => relative(process.cwd(), path) || path;
  console.log(`Checkpoint ${shown(`${checkpoint}.safetensors`)} and ${shown(`${checkpoint}.json`)}`);
  console.log(`Report     ${shown(join(out, 'report.html'))}`);
  console.log(`Log        ${shown(join(out, 'metrics.jsonl'))}, and events for TensorBoard`);
}
