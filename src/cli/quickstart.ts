// `anneal quickstart`: a conv net on the full MNIST, with a progress bar, a checkpoint and a report.
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { defaultDevice, setThreads } from '../backend/device.js';
import { mnist } from '../data/index.js';
import { writeCheckpoint } from '../io/checkpoint.js';
import type { JsonValue } from '../io/json.js';
import * as nn from '../nn/index.js';
import * as optim from '../optim/index.js';
import { writeHtmlReport } from '../report/html.js';
import type { EpochRecord, StepRecord } from '../report/log_event.js';
import { describeMachine } from '../report/machine.js';
import { TrainingProgress } from '../report/progress.js';
import * as schedule from '../schedule/index.js';
import type { EpochEvent, FitResult, StepEvent } from '../train/index.js';
import * as train from '../train/index.js';
import { type DeviceOptions, useDevice } from './device.js';

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
/** Shell convention: 128 + SIGINT. */
const INTERRUPTED = 130;

/** Collects a run's events for the report. */
class Recorder {
  readonly steps: StepRecord[] = [];
  readonly epochs: EpochRecord[] = [];

  step({ step, metrics, lr, size, ms, updateRatios }: StepEvent): void {
    const samplesPerSecond = (size / ms) * 1e3;
    const record = { step, time: Date.now(), metrics, lr, samplesPerSecond };
    this.steps.push(updateRatios === undefined ? record : { ...record, updateRatios });
  }

  epoch({ epoch, step, metrics, lr, seconds, samplesPerSecond }: EpochEvent): void {
    this.epochs.push({ epoch: epoch + 1, step, time: Date.now(), metrics, lr, seconds, samplesPerSecond });
  }
}

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
  const controller = new AbortController();
  const onInterrupt = (): void => {
    // A second Ctrl-C ends the process at once, as without this handler.
    process.off('SIGINT', onInterrupt);
    controller.abort();
  };
  process.on('SIGINT', onInterrupt);

  const recorder = new Recorder();
  using progress = new TrainingProgress({ epochs: options.epochs, stepsPerEpoch: data.batchesPerEpoch });
  try {
    await using run = train.fit(model, {
      data,
      validation: test.batch(500),
      epochs: options.epochs,
      seed: options.seed,
      optimizer: optim.sgd({ lr, momentum: MOMENTUM, weightDecay: WEIGHT_DECAY, ema: { decay: EMA_DECAY } }),
      callbacks: [
        train.earlyStopping({ monitor: 'ema_val_accuracy', patience: Number.POSITIVE_INFINITY, restoreBest: true }),
        train.updateRatio({ every: 20 }),
      ],
      signal: controller.signal,
    });
    for await (const event of run) {
      if (event.type === 'step') {
        recorder.step(event);
        progress.step(event);
      } else if (event.type === 'epoch') {
        recorder.epoch(event);
        progress.endEpoch(event);
      }
    }
    progress.stop();
    const result = await run.result;
    await save(options, model, lr, recorder, result);
    return result.stopReason === 'aborted' ? INTERRUPTED : 0;
  } finally {
    process.off('SIGINT', onInterrupt);
    model.dispose();
  }
}

async function save(
  options: QuickstartOptions,
  model: nn.Sequential,
  lr: schedule.Schedule,
  recorder: Recorder,
  result: FitResult,
): Promise<void> {
  const out = resolve(options.out);
  await mkdir(out, { recursive: true });
  const config = {
    epochs: options.epochs,
    seed: options.seed,
    batchSize: options.batchSize,
    device: defaultDevice(),
    peakLr: PEAK_LR,
    momentum: MOMENTUM,
    weightDecay: WEIGHT_DECAY,
    emaDecay: EMA_DECAY,
    parameters: model.parameterCount,
  };
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
  const report = join(out, 'report.html');
  await writeHtmlReport(report, {
    title: 'MNIST quickstart',
    config,
    machine: describeMachine(),
    steps: recorder.steps,
    epochs: recorder.epochs,
    stop: { step: result.steps, time: Date.now(), reason: result.stopReason },
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
  console.log(`Report     ${shown(report)}`);
}
