/** The callback that keeps a run in a folder: settings, metrics, TensorBoard's events, and a report when it ends. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceName } from '../backend/backend.js';
import { backendOf } from '../backend/device.js';
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { writeFileAtomic } from '../io/atomic.js';
import { stringifyJson } from '../io/json.js';
import { plain } from '../optim/plain.js';
import { isSchedule, rateAt } from '../schedule/index.js';
import type { Callback, EpochEvent, RunHandle, StepEvent } from '../train/index.js';
import { describeModel } from './describe_model.js';
import { filterImage, sampled } from './filters.js';
import { histogramOf } from './histogram.js';
import { writeHtmlReport } from './html.js';
import type { MemoryRecord, MetricsEvent, StepRecord, Values } from './log_event.js';
import { describeMachine } from './machine.js';
import { MetricsLog } from './metrics_log.js';
import type { Image } from './png.js';
import { configFile, metricsFile, type RunDescription, readRun, reportFile } from './run.js';
import { valuesOf } from './series.js';
import { EventFile } from './tensorboard.js';

export interface RecordOptions {
  /** The run's folder, made if it is not there. A run that begins replaces the one in it; a resumed one goes on with it. */
  readonly dir: string;
  /** Default: the folder's name. */
  readonly title?: string;
  /** Settings worth knowing later, in config.json. Schedules are taken too. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Steps from one that is recorded to the next. Default 1. */
  readonly every?: number;
  /** Steps between update-to-weight ratios and gradient norms, which cost a little; 0 for none of its own. Default 20. */
  readonly monitorEvery?: number;
  /** Steps between statistics of activations by layer, each of which costs a forward pass; 0 for none of its own. Default 0. */
  readonly activationsEvery?: number;
  /** Write event files for TensorBoard: scalars, after each epoch histograms of weights, and filters as images. Default true. */
  readonly tensorboard?: boolean;
  /** Write report.html when the run ends, however it does. Default true. */
  readonly report?: boolean;
  /** Say in config.json what the run was made on. Default true. */
  readonly machine?: boolean;
}

export interface Recorder extends Callback {
  /** Values of your own at the step the run has reached. @throws E_ARGUMENT before the run has begun or after its end */
  log(metrics: Values): void;
  /** A histogram, for TensorBoard. @throws E_ARGUMENT as `log` */
  histogram(tag: string, values: ArrayLike<number>): void;
  /** An image, for TensorBoard. @throws E_ARGUMENT as `log`, E_SHAPE */
  image(tag: string, image: Image): void;
}

/**
 * Milliseconds of steps that throughput is measured over: the last steps of an epoch were computed while others were awaited, and by
 * themselves would seem to take no time.
 */
const throughputWindow = 200;
/** Milliseconds between looks at memory. */
const memoryInterval = 1000;

/**
 * Keeps a run in a folder: `config.json` (settings, optimizer, model, machine), `metrics.jsonl` (each step and epoch, warnings, how it
 * ended), `events.out.tfevents.*` for TensorBoard, and `report.html` when it ends, also by an abort or an error.
 *
 *   callbacks: [report.record({ dir: 'runs/first', config: { width: 128 } })]
 *
 * `npx anneal dashboard runs/` shows such folders while runs go on. @throws E_ARGUMENT
 */
export function record(options: RecordOptions): Recorder {
  const { dir, every = 1, monitorEvery = 20, activationsEvery = 0, tensorboard = true, report = true } = options;
  if (typeof dir !== 'string' || dir === '')
    throw new AnnealError('E_ARGUMENT', `record: expected dir to be a folder, received '${String(dir)}'`);
  wholeNumber('record', 'every', every);
  wholeNumber('record', 'monitorEvery', monitorEvery, 0);
  wholeNumber('record', 'activationsEvery', activationsEvery, 0);
  let files: { readonly log: MetricsLog; readonly events: EventFile | null } | null = null;
  let step = 0;
  let memoryAt = Number.NEGATIVE_INFINITY;
  /** Of the steps since throughput was last told. */
  let window = { samples: 0, ms: 0 };

  const open = () => {
    if (files === null) throw new AnnealError('E_ARGUMENT', 'record: expected a run that goes on, there is none');
    return files;
  };
  const write = (event: MetricsEvent): void => {
    const { log, events } = open();
    log.append(event);
    const values = valuesOf(event).map(([tag, scalar]) => ({ tag, scalar }));
    events?.add(event.step, values);
  };

  return {
    name: 'record',
    wants: (at) => {
      const monitors = monitorEvery > 0 && at % monitorEvery === 0;
      const activations = activationsEvery > 0 && at % activationsEvery === 0;
      return { updateRatios: monitors, gradNorm: monitors, activations };
    },
    async onStart(run) {
      step = run.optimizer.stepCount;
      await mkdir(dir, { recursive: true }).catch((cause: unknown) => {
        throw new AnnealError('E_IO', `${dir}: expected a folder for the run (${String(cause)})`, { cause });
      });
      await writeFileAtomic(join(dir, configFile), [`${stringifyJson(description(options, run), 2)}\n`]);
      const log = await MetricsLog.open(join(dir, metricsFile), { resumeAtStep: step });
      const events = tensorboard ? await EventFile.create(dir, { resumeAtStep: step }) : null;
      files = { log, events };
      log.append({ type: 'start', step, time: Date.now() });
    },
    onStep(event, run) {
      step = event.step;
      window = { samples: window.samples + event.size, ms: window.ms + event.ms };
      const monitored = event.updateRatios ?? event.gradNorm ?? event.activations;
      if (step !== 1 && step % every !== 0 && monitored === undefined) return;
      const now = performance.now();
      const looks = now - memoryAt >= memoryInterval;
      if (looks) memoryAt = now;
      const measured = window.ms >= throughputWindow;
      const samplesPerSecond = (window.samples / window.ms) * 1000;
      if (measured) window = { samples: 0, ms: 0 };
      write({
        type: 'step',
        ...stepRecord(event, run),
        ...(measured ? { samplesPerSecond } : {}),
        ...(looks ? { memory: memoryOf(run) } : {}),
      });
    },
    async onEpoch(event, run) {
      step = event.step;
      write({ type: 'epoch', ...epochRecord(event) });
      const { log, events } = open();
      if (events !== null) await writeWeights(events, run, event.step);
      await log.flush();
    },
    onWarning({ message }) {
      // One before the run has begun, as of a damaged checkpoint, has no log yet. Of the step that callbacks are told of, not of the
      // one that is under way: a run that is resumed there keeps it.
      files?.log.append({ type: 'warning', step, message });
    },
    async onStop({ step: at, reason, error }) {
      if (files === null) return;
      const { log, events } = files;
      const failure = error === undefined ? {} : { error: textOf(error) };
      log.append({ type: 'stop', step: at, time: Date.now(), reason, ...failure });
      files = null;
      await Promise.all([log.close(), events?.close()]);
      if (report) await writeHtmlReport(join(dir, reportFile), await readRun(dir));
    },
    log: (metrics) => write({ type: 'metrics', step, metrics }),
    histogram(tag, values) {
      const histogram = histogramOf(values);
      if (histogram !== null) open().events?.add(step, [{ tag, histogram }]);
    },
    image: (tag, image) => open().events?.add(step, [{ tag, image }]),
  };
}

function description({ dir, title, config = {}, machine = true }: RecordOptions, run: RunHandle): object {
  return {
    title:
      title ??
      dir
        .split(/[\\/]/)
        .filter((part) => part !== '' && part !== '.')
        .at(-1) ??
      dir,
    config: plain({ seed: run.seed, ...config }),
    optimizer: run.optimizer.describe(),
    ...settingsOf(run.callbacks),
    model: describeModel(run.model),
    ...(machine ? { machine: describeMachine(deviceOf(run)) } : {}),
  };
}

function settingsOf(all: readonly Callback[]): Pick<RunDescription, 'callbacks'> {
  const callbacks = all.flatMap(({ name, settings }) => (settings === undefined ? [] : [{ name, settings }]));
  return callbacks.length > 0 ? { callbacks } : {};
}

function stepRecord(event: StepEvent, { optimizer }: RunHandle): StepRecord {
  const { options } = optimizer.spec;
  const { groups = [] } = options;
  // The schedules of the update were asked for the number of updates before it.
  const at = event.step - 1;
  const rates = groups
    .filter(({ lrScale, frozen }) => lrScale !== undefined && frozen !== true)
    .map(({ match, lrScale = 1 }) => [String(match), event.lr * rateAt(lrScale, at)] as const);
  const momentum = 'momentum' in options && isSchedule(options.momentum) ? options.momentum.at(at) : undefined;
  return {
    step: event.step,
    time: Date.now(),
    metrics: event.metrics,
    lr: event.lr,
    ...(rates.length > 0 ? { lrByGroup: Object.fromEntries(rates) } : {}),
    ...(momentum === undefined ? {} : { momentum }),
    ...(event.gradNorm === undefined ? {} : { gradNorm: event.gradNorm }),
    ...(event.updateRatios === undefined ? {} : { updateRatios: event.updateRatios }),
    ...(event.activations === undefined ? {} : { activations: event.activations }),
  };
}

function textOf(error: unknown): string {
  if (error instanceof AnnealError) return `${error.code}: ${error.message}`;
  return String(error);
}

function epochRecord({ epoch, step, metrics, lr, seconds, samplesPerSecond }: EpochEvent) {
  return { epoch: epoch + 1, step, time: Date.now(), metrics, lr, seconds, samplesPerSecond };
}

const deviceOf = ({ optimizer }: RunHandle): DeviceName => optimizer.arena.params.device;

function memoryOf(run: RunHandle): MemoryRecord {
  const { liveBytes, pooledBytes, peakBytes } = backendOf(deviceOf(run)).memory();
  return { live: liveBytes, pooled: pooledBytes, peak: peakBytes, rss: process.memoryUsage.rss() };
}

/** Histograms of all weights, and the filters of a first convolution, which are images. */
async function writeWeights(events: EventFile, run: RunHandle, step: number): Promise<void> {
  for (const [tag, { shape, data }] of await run.weights('raw')) {
    const histogram = histogramOf(sampled(data));
    const image = filterImage(shape, data);
    events.add(step, [
      ...(histogram === null ? [] : [{ tag, histogram }]),
      ...(image === null ? [] : [{ tag: `${tag}/filters`, image }]),
    ]);
  }
}
