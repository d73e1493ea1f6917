// `anneal quickstart`: a conv net on the full MNIST, with a progress bar, checkpoints and a report.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultDevice, setThreads } from '../backend/device.js';
import { mnist } from '../data/index.js';
import * as nn from '../nn/index.js';
import * as optim from '../optim/index.js';
import { percent } from '../report/format.js';
import * as report from '../report/index.js';
import * as schedule from '../schedule/index.js';
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
  // Of a few images there are a few steps.
  const warmup = Math.max(1, Math.min(200, Math.floor(total / 10)));
  const lr = schedule.join([
    schedule.warmup({ to: PEAK_LR, steps: warmup }),
    schedule.cosine({ from: PEAK_LR, steps: Math.max(1, total - warmup) }),
  ]);
  const model = netOf(options.net);
  using interrupt = new Interrupt();

  const { epochs, seed, batchSize, net, out } = options;
  const settings = { peakLr: PEAK_LR, momentum: MOMENTUM, weightDecay: WEIGHT_DECAY, emaDecay: EMA_DECAY };
  const config = { net, epochs, seed, batchSize, device: defaultDevice(), ...settings };
  const [checkpoints, weights] = [join(out, 'checkpoints'), join(out, 'model.safetensors')];
  // Those of an earlier quickstart would be taken for this one's.
  for (const path of [checkpoints, weights]) await rm(path, { recursive: true, force: true });
  try {
    await using run = train.fit(model, {
      data,
      validation: test.batch(500),
      epochs,
      seed,
      optimizer: optim.sgd({ lr, momentum: MOMENTUM, weightDecay: WEIGHT_DECAY, ema: { decay: EMA_DECAY } }),
      callbacks: [
        train.earlyStopping({ monitor: 'ema_val_accuracy', patience: Number.POSITIVE_INFINITY, restoreBest: true }),
        train.checkpoint({ directory: checkpoints }),
        report.record({ dir: out, title: 'MNIST quickstart', config }),
        report.progress(),
      ],
      signal: interrupt.signal,
    });
    const { best, stopReason, steps } = await run.result;
    if (stopReason === 'aborted') {
      console.log(`\nInterrupted after ${steps} steps.`);
    } else {
      await nn.saveWeights(weights, model);
      if (best) {
        const accuracy = percent(best.value);
        console.log(
          `\nBest: test accuracy ${accuracy} with averaged weights after epoch ${best.epoch + 1}: those are saved.`,
        );
      }
    }
    const made = { Weights: weights, Checkpoints: checkpoints, Report: join(out, 'report.html') };
    for (const [what, path] of Object.entries(made)) if (existsSync(path)) console.log(`${what.padEnd(11)} ${path}`);
    console.log(`Log         ${join(out, 'metrics.jsonl')}, and events for TensorBoard`);
    return stopReason === 'aborted' ? INTERRUPTED : 0;
  } finally {
    model.dispose();
  }
}
