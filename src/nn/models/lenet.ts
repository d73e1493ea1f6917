import type { Pair } from '../../ops/window.js';
import type { Activation } from '../layers/activation.js';
import { conv2d } from '../layers/conv.js';
import { maxPool2d } from '../layers/pool.js';
import { flatten } from '../layers/shape_layers.js';
import { type Sequential, sequential } from '../sequential.js';
import { denseStack } from './mlp.js';

export interface LenetOptions {
  /** Units of the last layer, which has no activation. Default 10. */
  readonly outputs?: number;
  /** Filters of each convolution, each followed by 2x2 max pooling. Default [6, 16]. */
  readonly filters?: readonly number[];
  /** Default 5. */
  readonly kernelSize?: Pair;
  /** Default 'valid', for images of 32x32; 'same' keeps the size of smaller ones, such as MNIST's 28x28. */
  readonly padding?: 'valid' | 'same';
  /** Units of the hidden dense layers. Default [120, 84]. */
  readonly hidden?: readonly number[];
  /** After each convolution and hidden layer. Default 'relu'. */
  readonly activation?: Activation;
  /** The share of hidden values that is dropped while training. Default 0. */
  readonly dropout?: number;
}

/**
 * Convolutions with max pooling, then dense layers, for images [H,W,C]. The defaults are the sizes of LeNet-5 (LeCun,
 * Bottou, Bengio and Haffner 1998, doi:10.1109/5.726791), with today's ReLU, max pooling and full connections. Parameters
 * are named conv2d1.weight, conv2d1.bias, ..., dense1.weight, ...
 *
 *   const model = nn.models.lenet({ filters: [32, 64], padding: 'same', hidden: [256] });
 *
 * @throws E_ARGUMENT unless sizes are integers of at least 1 and dropout in [0, 1)
 */
export function lenet(options: LenetOptions = {}): Sequential {
  const { outputs = 10, filters = [6, 16], kernelSize = 5, padding = 'valid', hidden = [120, 84] } = options;
  const { activation = 'relu', dropout = 0 } = options;
  return sequential([
    ...filters.flatMap((count) => [conv2d({ filters: count, kernelSize, padding, activation }), maxPool2d(2)]),
    flatten(),
    ...denseStack({ hidden, outputs, activation, dropout }),
  ]);
}
