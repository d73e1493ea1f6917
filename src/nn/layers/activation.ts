import type { FusedActivation } from '../../ops/activation.js';
import { elu, gelu, leakyRelu, relu, sigmoid, silu, softplus, tanh } from '../../ops/elementwise/elementwise.js';
import { softmax } from '../../ops/softmax/softmax.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';

const functions = {
  relu,
  sigmoid,
  tanh,
  gelu,
  silu,
  elu,
  leakyRelu,
  softplus,
  softmax,
} as const satisfies Record<string, (x: Tensor) => Tensor>;

export type Activation = keyof typeof functions;

/** Splits an activation into the part a kernel can fuse and the function to apply afterwards. */
export function splitActivation(name: Activation | undefined): {
  fused?: Exclude<FusedActivation, 'none'>;
  after?: (x: Tensor) => Tensor;
} {
  if (name === undefined) return {};
  if (name === 'relu' || name === 'sigmoid' || name === 'tanh') return { fused: name };
  return { after: functions[name] };
}

class ActivationLayer extends Module {
  readonly kind: string;
  readonly #apply: (x: Tensor) => Tensor;

  constructor(name: Activation) {
    super();
    this.kind = name;
    this.#apply = functions[name];
  }

  override create(input: Shape): Shape {
    return input;
  }

  override forward(x: Tensor): Tensor {
    return this.#apply(x);
  }
}

/** An activation as a layer of its own: `nn.activation('gelu')`. */
export function activation(name: Activation): Module {
  return new ActivationLayer(name);
}
