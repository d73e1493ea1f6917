// The training loop: epochs of steps over batches, validation, events, callbacks, and a clean end however it ends.
import { awaiting } from '../backend/tracing.js';
import { batchesOf } from '../data/batches_of.js';
import { AnnealError } from '../errors.js';
import type { Module, Weights } from '../nn/module.js';
import { create as createOptimizer, type Optimizer } from '../optim/optimizer.js';
import { keep } from '../tensor/scope.js';
import { type Tensor, tensor } from '../tensor/tensor.js';
import { batchParts } from './batch_parts.js';
import type { Best, Callback, Moment, RunHandle } from './callback.js';
import {
  type EpochEvent,
  EventStream,
  type Metrics,
  type StepEvent,
  type StopReason,
  type TrainEvent,
} from './events.js';
import { checkOptions, type FitOptions, type FitResult } from './fit_options.js';
import { latestCheckpoint } from './latest_checkpoint.js';
import { Meter, type Objective, resolveLoss } from './objective.js';
import { readAndDispose } from './read_batches.js';
import { keyed, type RestoredRun, readSnapshot, type Snapshot, SnapshotMemory, takeSnapshot } from './snapshot.js';
import { TrainingStep } from './training_step.js';
import { type Refresh, validate } from './validation.js';
import { measureWanted, type WantedValues } from './wanted.js';

/** Steps whose results may be on their way while the next is enqueued: the device never waits for JavaScript. */
const IN_FLIGHT = 2;

interface InFlight {
  readonly event: Omit<StepEvent, 'metrics' | 'ms'>;
  /** Of each batch of the step. */
  readonly results: readonly { readonly size: number; readonly values: Promise<Float32Array> }[];
  readonly wanted: Promise<WantedValues> | null;
}

/** A training run. Iterate it for its events, await `result` for its end; disposing it aborts it. */
export class Run implements AsyncIterable<TrainEvent>, AsyncDisposable {
  /** Resolves when the run has ended, also when it was aborted; rejects when it failed. */
  readonly result: Promise<FitResult>;
  /** The optimizer, once the model is built; it lives until the run is disposed. */
  optimizer: Optimizer | null = null;
  readonly #events = new EventStream<TrainEvent>();
  readonly #model: Module;
  readonly #options: FitOptions;
  readonly #history: EpochEvent[] = [];
  /** What is validated; training may add to its loss. */
  readonly #objective: Objective;
  #classWeights: Tensor<'f32'> | null = null;
  readonly #callbacks: readonly Callback[];
  readonly #accumulate: number;
  #seed: number;
  #stepper: TrainingStep | null = null;
  #best: Best | null = null;
  #stop: StopReason | null = null;
  /** Aborted with the run, so that it need not wait for data. */
  readonly #halt = new AbortController();
  /** Updates done, and batches in them. */
  #step = 0;
  #batches = 0;
  #epoch = 0;
  /** Batches done of the epoch under way. */
  #batch = 0;
  #meter: Meter;
  #sample: readonly number[] = [];
  #averagedBuffers: Weights | null = null;
  readonly #snapshots = new SnapshotMemory();
  #lastDone = 0;

  constructor(model: Module, options: FitOptions) {
    checkOptions(options);
    this.#model = model;
    this.#options = options;
    this.#callbacks = options.callbacks ?? [];
    this.#accumulate = options.accumulate ?? 1;
    this.#seed = options.seed ?? 0;
    this.#objective = resolveLoss(options.loss, options.metrics);
    this.#meter = new Meter(this.#objective.names);
    this.result = this.#run();
    // Whoever iterates the events sees the failure there; `result` alone must not crash the process before it is read.
    this.result.catch(() => undefined);
  }

  [Symbol.asyncIterator](): AsyncIterator<TrainEvent> {
    const events = this.#events[Symbol.asyncIterator]();
    const { result } = this;
    return {
      async next() {
        const next = await events.next();
        if (next.done) await result;
        return next;
      },
      return: () => events.return?.() ?? Promise.resolve({ value: undefined, done: true }),
    };
  }

  /** Ends the run after the current step. */
  stop(reason: StopReason = 'aborted'): void {
    this.#stop ??= reason;
    this.#halt.abort();
  }

  /** Aborts the run if it still goes on, waits for its end, and frees the optimizer. The model stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    // An observer that takes no more events must not keep the run from its end.
    this.#events.close();
    await this.result.catch(() => undefined);
    this.optimizer?.dispose();
    this.optimizer = null;
  }

  async #run(): Promise<FitResult> {
    // Let the caller subscribe first.
    await Promise.resolve();
    const { signal } = this.#options;
    const onAbort = (): void => this.stop('aborted');
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await this.#resume();
      await this.#epochs();
      const reason = this.#stop ?? 'completed';
      await this.#tellSnapshot({ stop: reason });
      return await this.#end(reason);
    } catch (error) {
      await this.#fail(error);
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#stepper?.[Symbol.dispose]();
      this.#classWeights?.dispose();
      this.#snapshots[Symbol.dispose]();
      this.#events.close();
    }
  }

  /** The end of a run that failed: what fails now, too, must not hide why. */
  async #fail(error: unknown): Promise<void> {
    const reason = error instanceof AnnealError && error.code === 'E_NONFINITE' ? 'nonfinite' : 'error';
    const attempt = (part: () => unknown): Promise<unknown> =>
      Promise.resolve()
        .then(part)
        .catch(() => undefined);
    await attempt(() => this.#tellSnapshot({ stop: reason }));
    const event = { type: 'stop', reason, step: this.#step, error } as const;
    for (const callback of this.#callbacks) await attempt(() => callback.onStop?.(event, this.#handle));
    await this.#events.emit(event);
  }

  async #end(reason: StopReason): Promise<FitResult> {
    const event = { type: 'stop', reason, step: this.#step } as const;
    for (const callback of this.#callbacks) await callback.onStop?.(event, this.#handle);
    await this.#events.emit(event);
    return { history: this.#history, best: this.#best, stopReason: reason, steps: this.#step };
  }

  readonly #handle: RunHandle = ((run) => ({
    get model() {
      return run.#model;
    },
    get optimizer() {
      if (run.optimizer === null)
        throw new AnnealError('E_ARGUMENT', 'fit: expected an optimizer, which there is none of before the first step');
      return run.optimizer;
    },
    get callbacks() {
      return run.#callbacks;
    },
    stop: (reason: StopReason) => run.stop(reason),
    get seed() {
      return run.#seed;
    },
    warn: (message: string) => run.#warn(message),
    weights: (which: 'raw' | 'ema') => run.#weights(which),
    restore: (weights: Weights) => run.#model.loadStateDict(weights),
    setBest: (best: Best) => {
      run.#best = best;
    },
    snapshot: () => run.#snapshot(),
  }))(this);

  async #warn(message: string): Promise<void> {
    const event = { type: 'warning', step: this.#step, message } as const;
    for (const callback of this.#callbacks) await callback.onWarning?.(event, this.#handle);
    await this.#events.emit(event);
  }

  async #weights(which: 'raw' | 'ema'): Promise<Weights> {
    if (which === 'raw') return this.#model.stateDict();
    const { optimizer } = this;
    if (!optimizer?.hasEma)
      throw new AnnealError('E_ARGUMENT', 'fit: expected an optimizer with ema for averaged weights');
    const weights = await optimizer.withEma(() => this.#model.stateDict());
    return new Map([...weights, ...(this.#averagedBuffers ?? [])]);
  }

  #snapshot(): Snapshot {
    const { optimizer } = this;
    if (optimizer === null)
      throw new AnnealError('E_ARGUMENT', 'fit: expected a run that has begun, to take a snapshot of');
    const position = {
      step: this.#step,
      batches: this.#batches,
      epoch: this.#epoch,
      batch: this.#batch,
      seed: this.#seed,
      sample: this.#sample,
      batchesPerEpoch: this.#options.data.batchesPerEpoch,
      meter: this.#meter.state(),
      best: this.#best,
      // An aborted run can go on; one that a callback stopped is at its end.
      stopped: this.#stop === 'aborted' ? null : this.#stop,
      history: this.#history,
    };
    return takeSnapshot(position, this.#model, optimizer, this.#callbacks, this.#snapshots);
  }

  /** Gives snapshots of now to the callbacks that want one. */
  async #tellSnapshot(at: Moment): Promise<void> {
    const wanting = this.#callbacks.filter((callback) => callback.wantsSnapshot?.(at));
    if (wanting.length === 0 || this.optimizer === null) return;
    for (const callback of wanting) await callback.onSnapshot?.(this.#snapshot(), at, this.#handle);
  }

  /** Takes up a checkpoint, if there is one. */
  async #resume(): Promise<void> {
    const { resume, seed, data } = this.#options;
    if (resume === undefined) return;
    const found = await latestCheckpoint(resume);
    for (const message of found.damaged) await this.#handle.warn(message);
    const { checkpoint, path } = found;
    if (checkpoint === null || path === null) return;
    const run = readSnapshot(checkpoint, path);
    const expected = (name: string, ours: number | undefined, theirs: number | undefined): void => {
      if (ours === undefined || theirs === undefined || ours === theirs) return;
      throw new AnnealError('E_ARGUMENT', `fit: expected ${name} ${theirs}, as in ${path}, received ${ours}`);
    };
    expected('seed', seed, run.seed);
    expected('batches an epoch', data.batchesPerEpoch, run.batchesPerEpoch);
    await this.#restore(run);
    await this.#events.emit({ type: 'resume', step: run.step, epoch: run.epoch, from: path });
  }

  async #restore(run: RestoredRun): Promise<void> {
    this.#seed = run.seed;
    await this.#begin(run.sample, run);
    this.#step = run.step;
    this.#batches = run.batches;
    this.#epoch = run.epoch;
    this.#batch = run.batch;
    this.#best = run.best;
    this.#stop ??= run.stopped;
    this.#history.push(...run.history);
    this.#meter.load(run.meter);
  }

  /** Builds the model and the optimizer, and puts their state back if the run is resumed. */
  async #begin(sample: readonly number[], run?: RestoredRun): Promise<Optimizer> {
    const { data, precision, capture = true, loss, metrics, labelSmoothing, classWeights } = this.#options;
    if (!this.#model.built) this.#model.build(sample, this.#seed);
    this.#sample = sample;
    const optimizer = createOptimizer(this.#options.optimizer, this.#model.namedParameters());
    this.optimizer = optimizer;
    if (classWeights !== undefined)
      this.#classWeights = keep(
        tensor(Float32Array.from(classWeights), [classWeights.length], { device: optimizer.arena.params.device }),
      );
    const objective = resolveLoss(loss, metrics, {
      ...(labelSmoothing !== undefined && { labelSmoothing }),
      ...(this.#classWeights !== null && { classWeights: this.#classWeights }),
    });
    this.#stepper = new TrainingStep({
      model: this.#model,
      optimizer,
      objective,
      normalize: data.normalize,
      precision,
      seed: this.#seed,
      capture,
    });
    if (run) {
      this.#model.loadStateDict(run.weights);
      optimizer.loadStateDict(run.optimizer);
      for (const [key, callback] of keyed(this.#callbacks)) {
        const state = run.callbacks.get(key);
        if (state) callback.load?.(state);
      }
    }
    // A deep net's weights alone may fill the queue, and the first step would have to wait for room.
    await optimizer.arena.params.storage.backend.sync();
    for (const callback of this.#callbacks) await callback.onStart?.(this.#handle);
    return optimizer;
  }

  async #epochs(): Promise<void> {
    const { epochs } = this.#options;
    while (this.#epoch < epochs && this.#stop === null) {
      const started = performance.now();
      const before = this.#meter.samples;
      await this.#trainEpoch();
      const seconds = (performance.now() - started) / 1e3;
      // An epoch cut short by an abort is not an epoch: its means would mislead.
      if (this.#stop === 'aborted') return;
      const event: EpochEvent = {
        type: 'epoch',
        epoch: this.#epoch,
        epochs,
        step: this.#step,
        lr: this.optimizer?.lr(this.#step - 1) ?? Number.NaN,
        metrics: { ...this.#meter.means(), ...(await this.#validate()) },
        seconds,
        samplesPerSecond: (this.#meter.samples - before) / seconds,
      };
      this.#epoch++;
      this.#batch = 0;
      this.#meter = new Meter(this.#objective.names);
      this.#history.push(event);
      for (const callback of this.#callbacks) await callback.onEpoch?.(event, this.#handle);
      await this.#events.emit(event);
      await this.#tellSnapshot({ epoch: this.#epoch });
    }
  }

  async #trainEpoch(): Promise<void> {
    const { data, epochs } = this.#options;
    const epoch = this.#epoch;
    const queue: InFlight[] = [];
    const steps = data.batchesPerEpoch === undefined ? undefined : Math.ceil(data.batchesPerEpoch / this.#accumulate);
    const totalSteps = steps === undefined ? undefined : steps * epochs;
    this.#lastDone = performance.now();
    let results: InFlight['results'][number][] = [];
    let position = this.#batch;
    const batches = batchesOf(data, epoch, { seed: this.#seed, skip: position }, this.#halt.signal);
    for await (const { batch, index, last } of batchParts(awaiting('data', batches), this.#accumulate)) {
      if (this.#stop !== null) break;
      const optimizer = this.optimizer ?? (await this.#begin(batch.x.shape.slice(1)));
      const values = this.#stepper?.run(batch, {
        step: this.#step,
        counter: this.#batches + index,
        first: index === 0,
        last,
        gradScale: 1 / (index + 1),
      });
      if (values === undefined) break;
      const { backend } = values.storage;
      results.push({ size: batch.size, values: observed(readAndDispose(values)) });
      await this.#tellUncaptured();
      position++;
      if (!last) continue;
      const lr = optimizer.lr(this.#step);
      this.#step++;
      this.#batches += index + 1;
      const step = this.#step;
      const event = { type: 'step', step, totalSteps, epoch, epochs, batch: position - 1, lr } as const;
      const size = results.reduce((sum, each) => sum + each.size, 0);
      const wanted = measureWanted(this.#callbacks, step, optimizer, this.#model, batch, data.normalize);
      queue.push({ event: { ...event, size }, results, wanted: wanted && observed(wanted) });
      results = [];
      const settles = this.#callbacks.some((callback) => callback.wantsSnapshot?.({ step }));
      const most = settles ? 0 : backend.crowded() ? 0 : IN_FLIGHT - 1;
      while (queue.length > most) await this.#finish(queue.shift());
      if (settles && this.#stop !== 'aborted') await this.#tellSnapshot({ step });
    }
    while (queue.length > 0) await this.#finish(queue.shift());
    if (position === 0 && this.#stop === null)
      throw new AnnealError('E_ARGUMENT', 'fit: expected at least one batch an epoch, received none');
  }

  async #tellUncaptured(): Promise<void> {
    const reason = this.#stepper?.takeReason();
    if (reason) await this.#handle.warn(`the training step runs op by op: ${reason.message}`);
  }

  async #finish(step: InFlight | undefined): Promise<void> {
    if (step === undefined) return;
    const own = new Meter(this.#objective.names);
    for (const { values, size } of step.results) {
      const numbers = await values;
      own.add(numbers, size);
      this.#meter.add(numbers, size);
    }
    const now = performance.now();
    const metrics = own.means();
    const event: StepEvent = {
      ...step.event,
      metrics,
      ms: now - this.#lastDone,
      ...(await step.wanted),
    };
    this.#lastDone = now;
    this.#batch = event.batch + 1;
    if (!Number.isFinite(metrics.loss)) {
      throw new AnnealError(
        'E_NONFINITE',
        `fit: expected a finite loss, received ${metrics.loss} at step ${event.step}`,
      );
    }
    for (const callback of this.#callbacks) await callback.onStep?.(event, this.#handle);
    await this.#events.emit(event);
  }

  async #validate(): Promise<Metrics> {
    const { validation, data, refreshStatistics: batches } = this.#options;
    const { optimizer } = this;
    if (validation === undefined || optimizer === null) return {};
    const refresh: Refresh | null = batches === undefined ? null : { data, batches, seed: this.#seed };
    const { metrics, averagedBuffers } = await validate(this.#model, optimizer, validation, this.#objective, refresh);
    this.#averagedBuffers = averagedBuffers;
    return metrics;
  }
}

/** The promise itself; nothing may be left unobserved if the loop throws before it awaits it. */
function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/**
 * Trains a model. The run starts by itself; iterate it for events or await `result`:
 *
 *   await using run = train.fit(model, { data, epochs: 3, optimizer: optim.sgd({ lr: 0.1 }) });
 *   for await (const event of run) console.log(event);
 *   const { history, stopReason } = await run.result;
 *
 * The model is built from the first batch if it is not yet. A non-finite loss ends the run with E_NONFINITE.
 * @throws E_ARGUMENT on options that make no sense
 */
export function fit(model: Module, options: FitOptions): Run {
  return new Run(model, options);
}
