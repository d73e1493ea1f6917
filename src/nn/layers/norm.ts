import { AnnealError } from '../../errors.js';
import { batchNorm as batchNormOp } from '../../ops/batch_norm/batch_norm.js';
import { full } from '../../ops/creation.js';
import { layerNorm as layerNormOp } from '../../ops/layer_norm/layer_norm.js';
import { keep } from '../../tensor/scope.js';
import { formatShape, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { type Mode, Module } from '../module.js';

function channelsOf(op: string, input: Shape): number {
  const channels = input.at(-1);
  if (channels === undefined || channels < 1) {
    throw new AnnealError('E_SHAPE', `${op}: expected samples with channels, received ${formatShape(input)}`);
  }
  return channels;
}

export interface BatchNormOptions {
  /** The weight of a batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/** y = (x - mean) / sqrt(var + epsilon) * gamma + beta, per channel over the batch and positions. */
class BatchNorm extends Module {
  readonly kind = 'batchNorm';
  readonly #options: BatchNormOptions;
  #gamma!: Tensor<'f32'>;
  #beta!: Tensor<'f32'>;
  #mean!: Tensor<'f32'>;
  #variance!: Tensor<'f32'>;

  constructor(options: BatchNormOptions) {
    super();
    this.#options = options;
  }

  override create(input: Shape): Shape {
    const shape = [channelsOf('batchNorm', input)];
    this.#gamma = this.parameter('gamma', keep(full(shape, 1)));
    this.#beta = this.parameter('beta', keep(full(shape, 0)));
    this.#mean = this.buffer('runningMean', keep(full(shape, 0)));
    this.#variance = this.buffer('runningVar', keep(full(shape, 1)));
    return input;
  }

  override forward(x: Tensor, mode: Mode): Tensor {
    const statistics = this.frozen ? undefined : mode.statistics;
    return batchNormOp(x, {
      ...this.#options,
      training: (mode.training && !this.frozen) || statistics !== undefined,
      ...(statistics === undefined ? {} : { momentum: statistics }),
      gamma: this.#gamma,
      beta: this.#beta,
      runningMean: this.#mean,
      runningVar: this.#variance,
    });
  }
}

/** Batch normalisation over the last dimension. Ioffe and Szegedy 2015, arXiv:1502.03167. */
export function batchNorm(options: BatchNormOptions = {}): Module {
  return new BatchNorm(options);
}

export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

/** y = (x - mean) / sqrt(var + epsilon) * gamma + beta, per position over the channels. */
class LayerNorm extends Module {
  readonly kind = 'layerNorm';
  readonly #options: LayerNormOptions;
  #gamma!: Tensor<'f32'>;
  #beta!: Tensor<'f32'>;

  constructor(options: LayerNormOptions) {
    super();
    this.#options = options;
  }

  override create(input: Shape): Shape {
    const shape = [channelsOf('layerNorm', input)];
    this.#gamma = this.parameter('gamma', keep(full(shape, 1)));
    this.#beta = this.parameter('beta', keep(full(shape, 0)));
    return input;
  }

  override forward(x: Tensor): Tensor {
    return layerNormOp(x, { ...this.#options, gamma: this.#gamma, beta: this.#beta });
  }
}

/** Layer normalisation over the last dimension. Ba, Kiros and Hinton 2016, arXiv:1607.06450. */
export function layerNorm(options: LayerNormOptions = {}): Module {
  return new LayerNorm(options);
}
