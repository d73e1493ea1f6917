// The training loop: epochs of steps over batches, validation, events, callbacks, and a clean end however it ends.
import { backward } from '../autograd/backward.js';
import { awaiting, span } from '../backend/tracing.js';
import { type Captured, capture } from '../capture/capture.js';
import type { Loader } from '../data/batch.js';
import { batchesOf } from '../data/batches_of.js';
import { AnnealError } from '../errors.js';
import type { Module, Weights } from '../nn/module.js';
import { create as createOptimizer, type Optimizer } from '../optim/optimizer.js';
import type { OptimizerSpec } from '../optim/spec.js';
import type { Num, Scalar } from '../scalar.js';
import type { FloatDType } from '../tensor/dtype.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Best, Callback, RunHandle } from './callbacks.js';
import {
  type EpochEvent,
  EventStream,
  type Metrics,
  type StepEvent,
  type StopReason,
  type TrainEvent,
} from './events.js';
import {
  evaluateObjective,
  type Loss,
  Meter,
  type MetricName,
  measure,
  type Objective,
  readAndDispose,
  resolveLoss,
} from './objective.js';
import { normalized, upload } from './to_device.js';

export interface FitOptions {
  /** Training batches, e.g. `trainSet.shuffle().batch(128)`. */
  readonly data: Loader;
  /** Validation batches, looked at after each epoch; also with the averaged weights when the optimizer keeps them. */
  readonly validation?: Loader;
  readonly epochs: number;
  readonly optimizer: OptimizerSpec;
  /** Default 'softmaxCrossEntropy'. */
  readonly loss?: Loss;
  /** Default ['accuracy'] with softmaxCrossEntropy, none otherwise. */
  readonly metrics?: readonly MetricName[];
  /** Of initial weights, shuffling and dropout: the same seed gives the same run. Default 0. */
  readonly seed?: number;
  readonly callbacks?: readonly Callback[];
  /** Stops the run at the next step; callbacks still see the end of it. */
  readonly signal?: AbortSignal;
  /**
   * Replays the training step natively once it was run and recorded (`capture`). A step that cannot be captured runs op by op,
   * and a warning event says why. Default true.
   */
  readonly capture?: boolean;
  /**
   * How a training step stores the batch and with it all activations; sums, gradients, weights, their state and the loss are f32
   * either way, so no loss scaling is needed. Of integers, such as ids, nothing is cast. Validation stores f32. Default 'f32'.
   */
  readonly precision?: FloatDType;
}

export interface FitResult {
  /** One event an epoch. */
  readonly history: readonly EpochEvent[];
  /** From a callback such as earlyStopping; null without one. */
  readonly best: Best | null;
  readonly stopReason: StopReason;
  /** Steps done. */
  readonly steps: number;
}

/** Steps whose results may be on their way while the next is enqueued: the device never waits for JavaScript. */
const IN_FLIGHT = 2;

type StepInputs = { readonly x: Tensor; readonly y: Tensor };
type StepScalars = { readonly step: Scalar };

interface InFlight {
  readonly event: Omit<StepEvent, 'metrics' | 'ms'>;
  readonly result: Promise<Float32Array>;
  readonly ratios: Promise<Readonly<Record<string, number>>> | null;
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
  readonly #objective: Objective;
  readonly #captured: Captured<StepInputs, StepScalars, Tensor<'f32'>> | null;
  /** Why the step is not captured, until it was told. */
  #uncaptured: AnnealError | null = null;
  #best: Best | null = null;
  #stop: StopReason | null = null;
  /** Aborted with the run, so that it need not wait for data. */
  readonly #halt = new AbortController();
  #step = 0;
  #lastDone = 0;

  constructor(model: Module, options: FitOptions) {
    if (!Number.isInteger(options.epochs) || options.epochs < 0) {
      throw new AnnealError(
        'E_ARGUMENT',
        `fit: expected epochs to be an integer of at least 0, received ${options.epochs}`,
      );
    }
    if (!['f32', 'f16', undefined].includes(options.precision)) {
      throw new AnnealError(
        'E_ARGUMENT',
        `fit: expected precision 'f32' or 'f16', received '${String(options.precision)}'`,
      );
    }
    this.#model = model;
    this.#options = options;
    this.#objective = resolveLoss(options.loss, options.metrics);
    this.#captured =
      options.capture === false
        ? null
        : capture((inputs: StepInputs, scalars: StepScalars) => this.#update(inputs, scalars), {
            confirm: true,
            fallback: (reason) => {
              this.#uncaptured = reason;
            },
          });
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
      await this.#epochs();
      return await this.#end(this.#stop ?? 'completed');
    } catch (error) {
      await this.#end(error instanceof AnnealError && error.code === 'E_NONFINITE' ? 'nonfinite' : 'error');
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#captured?.dispose();
      this.#events.close();
    }
  }

  async #end(reason: StopReason): Promise<FitResult> {
    const event = { type: 'stop', reason, step: this.#step } as const;
    for (const callback of this.#options.callbacks ?? []) await callback.onStop?.(event, this.#handle());
    await this.#events.emit(event);
    return { history: this.#history, best: this.#best, stopReason: reason, steps: this.#step };
  }

  #handle(): RunHandle {
    return {
      stop: (reason) => this.stop(reason),
      weights: (which) => this.#weights(which),
      restore: (weights) => this.#model.loadStateDict(weights),
      setBest: (best) => {
        this.#best = best;
      },
    };
  }

  #weights(which: 'raw' | 'ema'): Promise<Weights> {
    if (which === 'raw') return this.#model.stateDict();
    const { optimizer } = this;
    if (!optimizer?.hasEma)
      throw new AnnealError('E_ARGUMENT', 'fit: expected an optimizer with ema for averaged weights');
    return optimizer.withEma(() => this.#model.stateDict());
  }

  async #epochs(): Promise<void> {
    const { epochs } = this.#options;
    for (let epoch = 0; epoch < epochs && this.#stop === null; epoch++) {
      const started = performance.now();
      const meter = new Meter(this.#objective.names);
      await this.#trainEpoch(epoch, meter);
      const seconds = (performance.now() - started) / 1e3;
      // An epoch cut short by an abort is not an epoch: its means would mislead.
      if (this.#stop === 'aborted') return;
      const metrics: Record<string, number> = meter.means();
      await this.#validate(metrics);
      const event: EpochEvent = {
        type: 'epoch',
        epoch,
        epochs,
        step: this.#step,
        lr: this.optimizer?.lr(this.#step - 1) ?? Number.NaN,
        metrics,
        seconds,
        samplesPerSecond: meter.samples / seconds,
      };
      this.#history.push(event);
      for (const callback of this.#options.callbacks ?? []) await callback.onEpoch?.(event, this.#handle());
      await this.#events.emit(event);
    }
  }

  async #trainEpoch(epoch: number, meter: Meter): Promise<void> {
    const { data, seed, epochs } = this.#options;
    const queue: InFlight[] = [];
    this.#lastDone = performance.now();
    let batchIndex = 0;
    for await (const batch of awaiting('data', batchesOf(data, epoch, { seed: seed ?? 0 }, this.#halt.signal))) {
      if (this.#stop !== null) break;
      if (this.optimizer === null) await this.#prepare(batch.x.shape.slice(1));
      const { optimizer } = this;
      if (optimizer === null) break;
      const step = this.#step + 1;
      const lr = optimizer.lr(this.#step);
      const results = span('step', () =>
        scope(() => {
          const inputs = upload(batch);
          return this.#captured
            ? this.#captured(inputs, { step: this.#step })
            : this.#update(inputs, { step: this.#step });
        }),
      );
      const { backend } = results.storage;
      const result = readAndDispose(results);
      // Nothing may be left unobserved if the loop throws in between.
      result.catch(() => undefined);
      if (this.#uncaptured !== null) {
        const message = `the training step runs op by op: ${this.#uncaptured.message}`;
        this.#uncaptured = null;
        await this.#events.emit({ type: 'warning', message });
      }
      this.#step = step;
      const wanted = this.#options.callbacks?.some((callback) => callback.wantsUpdateRatios?.(step)) ?? false;
      const total = data.batchesPerEpoch === undefined ? undefined : data.batchesPerEpoch * epochs;
      const ratios = wanted ? optimizer.updateRatios() : null;
      queue.push({
        event: { type: 'step', step, totalSteps: total, epoch, batch: batchIndex++, size: batch.size, lr },
        result,
        ratios,
      });
      ratios?.catch(() => undefined);
      const most = backend.crowded() ? 1 : IN_FLIGHT;
      while (queue.length >= most) await this.#finish(queue.shift(), meter);
    }
    while (queue.length > 0) await this.#finish(queue.shift(), meter);
  }

  /** One update of the model; the loss and metrics of the batch. */
  #update(inputs: StepInputs, { step }: { readonly step: Num }): Tensor<'f32'> {
    const { data, seed = 0, precision } = this.#options;
    const { optimizer } = this;
    if (optimizer === null) throw new AnnealError('E_INTERNAL', 'fit: expected an optimizer');
    const { loss, results } = span('forward', () => {
      const { x, y } = normalized(inputs, data.normalize, precision);
      const output = this.#model.forward(x, { training: true, seed, step });
      return measure(this.#objective, output, y);
    });
    optimizer.zeroGrad();
    backward(loss);
    optimizer.step(step);
    return results;
  }

  async #finish(step: InFlight | undefined, meter: Meter): Promise<void> {
    if (step === undefined) return;
    const metrics = meter.add(await step.result, step.event.size);
    const now = performance.now();
    const event: StepEvent = {
      ...step.event,
      metrics,
      ms: now - this.#lastDone,
      ...(step.ratios ? { updateRatios: await step.ratios } : {}),
    };
    this.#lastDone = now;
    if (!Number.isFinite(metrics.loss)) {
      throw new AnnealError(
        'E_NONFINITE',
        `fit: expected a finite loss, received ${metrics.loss} at step ${event.step}`,
      );
    }
    for (const callback of this.#options.callbacks ?? []) await callback.onStep?.(event, this.#handle());
    await this.#events.emit(event);
  }

  async #prepare(sample: readonly number[]): Promise<void> {
    if (!this.#model.built) this.#model.build(sample, this.#options.seed ?? 0);
    this.optimizer = createOptimizer(this.#options.optimizer, this.#model.namedParameters());
    // A deep net's weights alone may fill the queue, and the first step would have to wait for room.
    await this.optimizer.arena.params.storage.backend.sync();
  }

  async #validate(metrics: Record<string, number>): Promise<void> {
    const { validation } = this.#options;
    const { optimizer } = this;
    if (validation === undefined) return;
    const into = (prefix: string, values: Metrics): void => {
      for (const [name, value] of Object.entries(values)) metrics[prefix + name] = value;
    };
    const look = (): Promise<Metrics> => evaluateObjective(this.#model, validation, this.#objective);
    into('val_', await look());
    if (optimizer?.hasEma) into('ema_val_', await optimizer.withEma(look));
  }
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

export interface EvaluateOptions {
  readonly data: Loader;
  readonly loss?: Loss;
  readonly metrics?: readonly MetricName[];
}

/** Mean loss and metrics of a built model over data, in evaluation mode. @throws E_ARGUMENT without a batch */
export function evaluate(model: Module, { data, loss, metrics }: EvaluateOptions): Promise<Metrics> {
  return evaluateObjective(model, data, resolveLoss(loss, metrics));
}
