import type { Activation } from '../layers/activation.js';
import { dense } from '../layers/dense.js';
import { dropout } from '../layers/dropout.js';
import { flatten } from '../layers/shape_layers.js';
import type { Module } from '../module.js';
import { type Sequential, sequential } from '../sequential.js';

export interface MlpOptions {
  /** Units of each hidden layer, e.g. [128]; [] is a linear model. */
  readonly hidden: readonly number[];
  /** Units of the last layer, which has no activation: logits for a classifier. */
  readonly outputs: number;
  /** After each hidden layer. Default 'relu'. */
  readonly activation?: Activation;
  /** The share of hidden values that is dropped while training. Default 0. */
  readonly dropout?: number;
}

/** Hidden layers, each with its activation, and the layer of outputs. */
export function denseStack({ hidden, outputs, activation = 'relu', dropout: p = 0 }: MlpOptions): Module[] {
  const layers = hidden.flatMap((units) => [dense({ units, activation }), ...(p > 0 ? [dropout(p)] : [])]);
  return [...layers, dense({ units: outputs })];
}

/**
 * A multilayer perceptron: samples of any shape, flattened, through hidden dense layers to `outputs`. Parameters are named
 * dense1.weight, dense1.bias, dense2.weight, ...
 *
 *   const model = nn.models.mlp({ hidden: [128], outputs: 10 });
 *
 * @throws E_ARGUMENT unless sizes are integers of at least 1 and dropout in [0, 1)
 */
export function mlp(options: MlpOptions): Sequential {
  return sequential([flatten(), ...denseStack(options)]);
}
