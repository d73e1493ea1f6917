import { wholeNumber } from '../../checks.js';
import { AnnealError } from '../../errors.js';
import { linear } from '../../ops/sgemm/sgemm.js';
import { formatShape, type Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { heNormal, type Initializer, initialize, zeros } from '../init.js';
import { Module } from '../module.js';
import { type Activation, splitActivation } from './activation.js';

export interface DenseOptions {
  /** Output features. */
  readonly units: number;
  readonly activation?: Activation;
  /** Default true. */
  readonly bias?: boolean;
  /** Default He normal. */
  readonly weightInit?: Initializer;
  /** Default zeros. */
  readonly biasInit?: Initializer;
}

/** y = activation(x W + b): x [..., in], W [in, units], b [units], y [..., units]. */
class Dense extends Module {
  readonly kind = 'dense';
  readonly #options: DenseOptions;
  readonly #activation: ReturnType<typeof splitActivation>;
  #weight!: Tensor<'f32'>;
  #bias: Tensor<'f32'> | null = null;

  constructor(options: DenseOptions) {
    super();
    wholeNumber('dense', 'units', options.units);
    this.#options = options;
    this.#activation = splitActivation(options.activation);
  }

  override create(input: Shape, seed: number, path: string): Shape {
    const inputs = input.at(-1);
    if (inputs === undefined || inputs < 1) {
      throw new AnnealError(
        'E_SHAPE',
        `dense: expected samples with features, received ${formatShape(input)}; put nn.flatten() before`,
      );
    }
    const { units, bias = true, weightInit = heNormal(), biasInit = zeros() } = this.#options;
    this.#weight = this.parameter(
      'weight',
      initialize(weightInit, [inputs, units], { fanIn: inputs, fanOut: units }, seed, path, 'weight'),
    );
    this.#bias = bias
      ? this.parameter('bias', initialize(biasInit, [units], { fanIn: inputs, fanOut: units }, seed, path, 'bias'))
      : null;
    return [...input.slice(0, -1), units];
  }

  override forward(x: Tensor): Tensor {
    const { fused, after } = this.#activation;
    const y = linear(x, this.#weight, this.#bias, fused === undefined ? {} : { activation: fused });
    return after ? after(y) : y;
  }
}

/** A fully connected layer. */
export function dense(options: DenseOptions): Module {
  return new Dense(options);
}
