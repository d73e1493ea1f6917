// One training step: forward, loss, backward, update; captured, and over several batches where gradients are accumulated.
import { backward } from '../autograd/backward.js';
import { span } from '../backend/tracing.js';
import { type Captured, capture } from '../capture/capture.js';
import type { HostBatch, Normalize } from '../data/batch.js';
import type { AnnealError } from '../errors.js';
import type { Module } from '../nn/module.js';
import type { Optimizer } from '../optim/optimizer.js';
import type { Scalar } from '../scalar.js';
import type { FloatDType } from '../tensor/dtype.js';
import { guard } from '../tensor/recorder.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import { measure, type Objective } from './objective.js';
import { type DeviceBatch, normalized, upload } from './to_device.js';

export interface TrainingStepOptions {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly objective: Objective;
  readonly normalize: Normalize | undefined;
  readonly precision: FloatDType | undefined;
  readonly seed: number;
  readonly capture: boolean;
}

/** Of which part of a step a batch is. */
export interface Part {
  /** Updates done before the step. */
  readonly step: number;
  /** Batches of all steps before this one: the counter of dropout, so that no two batches have the same masks. */
  readonly counter: number;
  /** Gradients begin anew with this batch. */
  readonly first: boolean;
  /** The update follows this batch. */
  readonly last: boolean;
  /** Of the gradients in the update: one over the number of batches. */
  readonly gradScale: number;
}

type StepScalars = { readonly step: Scalar; readonly counter: Scalar; readonly gradScale: Scalar };

export class TrainingStep implements Disposable {
  readonly #options: TrainingStepOptions;
  readonly #captured: Captured<DeviceBatch, StepScalars, Tensor<'f32'>> | null;
  /** What a plan is for: looked at by the function, and guarded. */
  readonly #part = { first: true, last: true };
  #uncaptured: AnnealError | null = null;

  constructor(options: TrainingStepOptions) {
    this.#options = options;
    this.#captured = options.capture
      ? capture((inputs: DeviceBatch, scalars: StepScalars) => this.#update(inputs, scalars), {
          confirm: true,
          fallback: (reason) => {
            this.#uncaptured = reason;
          },
        })
      : null;
  }

  /** Enqueues a batch and gives its loss and metrics. */
  run(batch: HostBatch, { first, last, ...scalars }: Part): Tensor<'f32'> {
    this.#part.first = first;
    this.#part.last = last;
    return span('step', () =>
      scope(() => {
        const inputs = upload(batch);
        return this.#captured ? this.#captured(inputs, scalars) : this.#update(inputs, scalars);
      }),
    );
  }

  /** Why the step is not captured: told once. */
  takeReason(): AnnealError | null {
    const reason = this.#uncaptured;
    this.#uncaptured = null;
    return reason;
  }

  #update(
    inputs: DeviceBatch,
    { step, counter, gradScale }: { [K in keyof StepScalars]: number | Scalar },
  ): Tensor<'f32'> {
    const { model, optimizer, objective, normalize, precision, seed } = this.#options;
    const part = this.#part;
    guard(() => part.first);
    guard(() => part.last);
    const { loss, results } = span('forward', () => {
      const { x, ...target } = normalized(inputs, normalize, precision);
      return measure(objective, model.forward(x, { training: true, seed, step: counter }), target);
    });
    if (part.first) optimizer.zeroGrad();
    backward(loss);
    if (part.last) optimizer.step(step, { gradScale });
    return results;
  }

  [Symbol.dispose](): void {
    this.#captured?.dispose();
  }
}
