import { wholeNumber } from '../../checks.js';
import { AnnealError } from '../../errors.js';
import { conv2d as conv2dOp, type Conv2dOptions as OpOptions } from '../../ops/conv2d/conv2d.js';
import { depthwiseConv2d as depthwiseOp } from '../../ops/depthwise_conv2d/depthwise_conv2d.js';
import { type Pair, pairOf, type WindowOptions, windowOf } from '../../ops/window.js';
import { formatShape, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { heNormal, type Initializer, initialize, zeros } from '../init.js';
import { Module } from '../module.js';
import { type Activation, splitActivation } from './activation.js';

interface ConvBase extends WindowOptions {
  /** KH and KW. */
  readonly kernelSize: Pair;
  readonly activation?: Activation;
  /** Default true. */
  readonly bias?: boolean;
  /** Default He normal. */
  readonly weightInit?: Initializer;
  /** Default zeros. */
  readonly biasInit?: Initializer;
}

export interface Conv2dOptions extends ConvBase {
  /** Output channels. */
  readonly filters: number;
  /** Default 1. */
  readonly groups?: number;
}

export interface DepthwiseConv2dOptions extends ConvBase {
  /** Output channels for each input channel. Default 1. */
  readonly multiplier?: number;
}

/** Samples [H, W, C]. */
export function imageShape(op: string, input: Shape): readonly [number, number, number] {
  const [h, w, c] = input;
  if (input.length !== 3 || h === undefined || w === undefined || c === undefined) {
    throw new AnnealError('E_SHAPE', `${op}: expected samples of shape [H,W,C], received ${formatShape(input)}`);
  }
  return [h, w, c];
}

function windowOptions({ stride = 1, padding = 'valid', dilation = 1 }: ConvBase): WindowOptions {
  return { stride, padding, dilation };
}

/** y = activation(x * w + b): x [N,H,W,C], w [KH,KW,C/groups,filters], y [N,OH,OW,filters]. */
class Conv2d extends Module {
  readonly kind = 'conv2d';
  readonly #options: Conv2dOptions;
  readonly #op: OpOptions;
  readonly #after: ((x: Tensor) => Tensor) | undefined;
  #weight!: Tensor<'f32'>;
  #bias: Tensor<'f32'> | null = null;

  constructor(options: Conv2dOptions) {
    super();
    const { fused, after } = splitActivation(options.activation);
    this.#options = options;
    this.#after = after;
    this.#op = {
      ...windowOptions(options),
      groups: wholeNumber('conv2d', 'groups', options.groups ?? 1),
      ...(fused === undefined ? {} : { activation: fused }),
    };
  }

  override create(input: Shape, seed: number, path: string): Shape {
    const { filters, bias = true, weightInit = heNormal(), biasInit = zeros(), groups = 1 } = this.#options;
    const [h, w, c] = imageShape('conv2d', input);
    const [kh, kw] = pairOf('conv2d', 'kernelSize', this.#options.kernelSize);
    wholeNumber('conv2d', 'filters', filters);
    if (c % groups !== 0 || filters % groups !== 0) {
      throw new AnnealError(
        'E_SHAPE',
        `conv2d: expected channels divisible by ${groups} groups, received ${c} in and ${filters} out`,
      );
    }
    const fans = { fanIn: (kh * kw * c) / groups, fanOut: (kh * kw * filters) / groups };
    this.#weight = this.parameter(
      'weight',
      initialize(weightInit, [kh, kw, c / groups, filters], fans, seed, path, 'weight'),
    );
    this.#bias = bias ? this.parameter('bias', initialize(biasInit, [filters], fans, seed, path, 'bias')) : null;
    const { oh, ow } = windowOf('conv2d', [h, w], [kh, kw], this.#op);
    return [oh, ow, filters];
  }

  override forward(x: Tensor): Tensor {
    const y = conv2dOp(x, this.#weight, { ...this.#op, bias: this.#bias });
    return this.#after ? this.#after(y) : y;
  }
}

/** A 2-D convolution over NHWC images. */
export function conv2d(options: Conv2dOptions): Module {
  return new Conv2d(options);
}

/** Each channel with filters of its own: w [KH,KW,C,multiplier], y [N,OH,OW,C*multiplier]. */
class DepthwiseConv2d extends Module {
  readonly kind = 'depthwiseConv2d';
  readonly #options: DepthwiseConv2dOptions;
  readonly #op: Omit<OpOptions, 'groups'>;
  readonly #after: ((x: Tensor) => Tensor) | undefined;
  #weight!: Tensor<'f32'>;
  #bias: Tensor<'f32'> | null = null;

  constructor(options: DepthwiseConv2dOptions) {
    super();
    const { fused, after } = splitActivation(options.activation);
    this.#options = options;
    this.#after = after;
    this.#op = { ...windowOptions(options), ...(fused === undefined ? {} : { activation: fused }) };
  }

  override create(input: Shape, seed: number, path: string): Shape {
    const { multiplier = 1, bias = true, weightInit = heNormal(), biasInit = zeros() } = this.#options;
    const [h, w, c] = imageShape('depthwiseConv2d', input);
    const [kh, kw] = pairOf('depthwiseConv2d', 'kernelSize', this.#options.kernelSize);
    wholeNumber('depthwiseConv2d', 'multiplier', multiplier);
    const fans = { fanIn: kh * kw, fanOut: kh * kw * multiplier };
    this.#weight = this.parameter(
      'weight',
      initialize(weightInit, [kh, kw, c, multiplier], fans, seed, path, 'weight'),
    );
    this.#bias = bias ? this.parameter('bias', initialize(biasInit, [c * multiplier], fans, seed, path, 'bias')) : null;
    const { oh, ow } = windowOf('depthwiseConv2d', [h, w], [kh, kw], this.#op);
    return [oh, ow, c * multiplier];
  }

  override forward(x: Tensor): Tensor {
    const y = depthwiseOp(x, this.#weight, { ...this.#op, bias: this.#bias });
    return this.#after ? this.#after(y) : y;
  }
}

/** A depthwise 2-D convolution over NHWC images. */
export function depthwiseConv2d(options: DepthwiseConv2dOptions): Module {
  return new DepthwiseConv2d(options);
}
