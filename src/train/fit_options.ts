// What a training run is given, and what it gives.
import { wholeNumber } from '../checks.js';
import type { Loader } from '../data/batch.js';
import { AnnealError } from '../errors.js';
import type { OptimizerSpec } from '../optim/spec.js';
import type { FloatDType } from '../tensor/dtype.js';
import type { Best, Callback } from './callback.js';
import type { EpochEvent, StopReason } from './events.js';
import type { Metric, MetricName } from './metrics.js';
import type { Loss } from './objective.js';

export interface FitOptions {
  /** Training batches, e.g. `trainSet.shuffle().batch(128)`. */
  readonly data: Loader;
  /** Validation batches, looked at after each epoch; also with the averaged weights when the optimizer keeps them. */
  readonly validation?: Loader;
  readonly epochs: number;
  readonly optimizer: OptimizerSpec;
  /** Default 'softmaxCrossEntropy'. */
  readonly loss?: Loss;
  /**
   * The share of the target that is spread evenly over all classes while training with softmaxCrossEntropy; validation is without
   * it. Szegedy et al. 2016, arXiv:1512.00567, section 7. Default 0.
   */
  readonly labelSmoothing?: number;
  /**
   * A factor of the loss for each class, with softmaxCrossEntropy: `data.classWeights(trainSet)` balances them. The mean is weighted, as
   * PyTorch's. Validation is without them. (Weights of single examples come with the batches.)
   */
  readonly classWeights?: readonly number[] | Float32Array;
  /**
   * Measured beside the loss, on the device, of training batches and in validation: by name, `train.topK(5)`, or functions of your own,
   * whose values are means over batches weighted by their sizes. Default ['accuracy'] with softmaxCrossEntropy, none otherwise.
   */
  readonly metrics?: readonly (MetricName | Metric)[];
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
  /**
   * Batches whose gradients are averaged into one update: a batch of `accumulate` times the size in the memory of one. The last
   * update of an epoch may be of fewer. Steps, and with them schedules, count updates. Default 1.
   */
  readonly accumulate?: number;
  /**
   * Looks at the averaged weights with running statistics of batch norms made for them, from so many training batches
   * (`train.refreshStatistics`); without it with those of the raw weights.
   */
  readonly refreshStatistics?: number;
  /**
   * A run's folder of checkpoints, or the path of one: the run goes on where the newest whole one left it, to the same bits as if
   * it had never stopped. A folder without any begins a run. See `train.checkpoint`.
   */
  readonly resume?: string;
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

/** @throws E_ARGUMENT on options that make no sense */
export function checkOptions(options: FitOptions): void {
  wholeNumber('fit', 'epochs', options.epochs, 0);
  if (!['f32', 'f16', undefined].includes(options.precision)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `fit: expected precision 'f32' or 'f16', received '${String(options.precision)}'`,
    );
  }
  if (options.accumulate !== undefined) wholeNumber('fit', 'accumulate', options.accumulate);
  if (options.refreshStatistics !== undefined) wholeNumber('fit', 'refreshStatistics', options.refreshStatistics);
  checkCrossEntropy(options);
}

function checkCrossEntropy({ loss = 'softmaxCrossEntropy', labelSmoothing, classWeights }: FitOptions): void {
  if (labelSmoothing === undefined && classWeights === undefined) return;
  if (loss !== 'softmaxCrossEntropy') {
    throw new AnnealError(
      'E_ARGUMENT',
      `fit: expected labelSmoothing and classWeights with softmaxCrossEntropy, received them with ${String(loss)}`,
    );
  }
  if (labelSmoothing !== undefined && !(labelSmoothing >= 0 && labelSmoothing < 1))
    throw new AnnealError('E_ARGUMENT', `fit: expected labelSmoothing in [0, 1), received ${labelSmoothing}`);
  if (classWeights?.some((weight) => !(weight >= 0 && weight < Number.POSITIVE_INFINITY)))
    throw new AnnealError(
      'E_ARGUMENT',
      `fit: expected classWeights of at least 0, received ${classWeights.join(', ')}`,
    );
}
