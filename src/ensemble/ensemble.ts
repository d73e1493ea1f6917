// Several models asked together: p(y|x) = 1/N sum_i p_i(y|x).
import { noGrad } from '../autograd/tape.js';
import { wholeNumber } from '../checks.js';
import type { HostBatch, Loader } from '../data/batch.js';
import { AnnealError } from '../errors.js';
import { evaluation, Module, type Weights } from '../nn/module.js';
import { add, cast, exp, log } from '../ops/elementwise/elementwise.js';
import { logSoftmax, logSumExp } from '../ops/softmax/softmax.js';
import { stack } from '../ops/strided_copy/strided_copy.js';
import { scope } from '../tensor/scope.js';
import { formatShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { readBatches } from '../train/read_batches.js';
import { normalized, upload } from '../train/to_device.js';
import { type EnsembleReport, Tally } from './tally.js';

/** Weights on the host with a model to run them in, which several members may share: it has its own weights back afterwards. */
export interface WeightsMember {
  readonly model: Module;
  readonly weights: Weights;
}

export interface EnsembleOptions {
  /** What models give for a batch, [N, classes]. Default 'logits'. */
  readonly outputs?: 'logits' | 'probabilities';
}

export interface EnsembleEvaluateOptions {
  /** y: one class for each example. */
  readonly data: Loader;
  /** Of the calibration error. Default 15. */
  readonly bins?: number;
}

export class Ensemble {
  readonly #members: readonly { readonly model: Module; readonly weights: Weights | null }[];
  readonly #outputs: 'logits' | 'probabilities';

  /** @throws E_ARGUMENT without a member, or when a model is not built */
  constructor(members: readonly (Module | WeightsMember)[], { outputs = 'logits' }: EnsembleOptions = {}) {
    if (members.length === 0)
      throw new AnnealError('E_ARGUMENT', 'ensemble: expected at least one member, received none');
    if (outputs !== 'logits' && outputs !== 'probabilities') {
      throw new AnnealError(
        'E_ARGUMENT',
        `ensemble: expected outputs 'logits' or 'probabilities', received '${String(outputs)}'`,
      );
    }
    this.#members = members.map((each) => (each instanceof Module ? { model: each, weights: null } : each));
    if (this.#members.some(({ model }) => !model.built))
      throw new AnnealError('E_ARGUMENT', 'ensemble: expected models that are built, received one that is not');
    this.#outputs = outputs;
  }

  get size(): number {
    return this.#members.length;
  }

  /**
   * The probabilities of a batch, f32 [N, classes], on its device: the members' log-probabilities, log-mean-exp over them, exp. The
   * caller's to dispose. @throws E_SHAPE unless models give [N, classes]
   */
  async predict(x: Tensor): Promise<Tensor<'f32'>> {
    const each: Tensor<'f32'>[] = [];
    try {
      await this.#forEach((model) => {
        each.push(noGrad(() => scope(() => this.#logProbabilities(model, x))));
      });
      return noGrad(() => scope(() => cast(exp(add(logSumExp(stack(each), 0), -Math.log(each.length))), 'f32')));
    } finally {
      for (const tensor of each) tensor.dispose();
    }
  }

  /**
   * Accuracy, log-loss, calibration error and disagreement over data. Each member goes over all of it in turn, so that its weights are
   * on the device once; kept are examples x classes doubles. @throws E_ARGUMENT without a batch; E_SHAPE, E_RANGE of classes
   */
  async evaluate({ data, bins = 15 }: EnsembleEvaluateOptions): Promise<EnsembleReport> {
    wholeNumber('ensemble', 'bins', bins);
    const tally = new Tally(bins);
    await this.#forEach((model) => this.#pass(model, data, tally));
    return tally.report();
  }

  async #pass(model: Module, data: Loader, tally: Tally): Promise<void> {
    tally.begin();
    await readBatches(
      data,
      (batch) => this.#logProbabilities(model, normalized(upload(batch), data.normalize).x),
      labelsOf,
      (values, labels) => tally.add(labels, values),
    );
    tally.end();
  }

  #logProbabilities(model: Module, x: Tensor): Tensor<'f32'> {
    const y = model.forward(x, evaluation);
    if (y.rank !== 2) {
      throw new AnnealError(
        'E_SHAPE',
        `ensemble: expected models that give [N, classes], received ${formatShape(y.shape)}`,
      );
    }
    return cast(this.#outputs === 'logits' ? logSoftmax(y, -1) : log(y), 'f32');
  }

  /** Runs `fn` with each member's weights in place. */
  async #forEach(fn: (model: Module) => void | Promise<void>): Promise<void> {
    const before = new Map<Module, Weights>();
    try {
      for (const { model, weights } of this.#members) {
        if (weights !== null) {
          if (!before.has(model)) before.set(model, await model.stateDict());
          model.loadStateDict(weights);
        } else {
          const own = before.get(model);
          if (own) model.loadStateDict(own);
        }
        await fn(model);
      }
    } finally {
      for (const [model, weights] of before) model.loadStateDict(weights);
    }
  }
}

/** Copies: a loader may use a batch's arrays again. */
function labelsOf({ y, size }: HostBatch): ArrayLike<number> {
  if (y.shape.length !== 1 || y.dtype === 'f32' || y.dtype === 'f16') {
    throw new AnnealError('E_SHAPE', `ensemble: expected y to be ${size} classes, received ${y.dtype} [${y.shape}]`);
  }
  return Int32Array.from(y.data);
}

/**
 * Models whose probabilities are averaged: of several seeds, of the ends of a cyclic run's cycles, averaged copies. Members are built
 * models, or weights with a model to run them in. Lakshminarayanan et al. 2017, arXiv:1612.01474.
 *
 *   const team = ensemble([a, b, c]);
 *   const { accuracy, calibrationError } = await team.evaluate({ data: test.batch(500) });
 *
 * @throws E_ARGUMENT
 */
export function ensemble(members: readonly (Module | WeightsMember)[], options: EnsembleOptions = {}): Ensemble {
  return new Ensemble(members, options);
}
