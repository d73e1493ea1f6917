import {
  type AvgPoolOptions,
  avgPool2d as avgPoolOp,
  globalAvgPool2d as globalAvgOp,
  globalMaxPool2d as globalMaxOp,
  maxPool2d as maxPoolOp,
  type PoolOptions,
} from '../../ops/pool2d/pool2d.js';
import { type Pair, pairOf, windowOf } from '../../ops/window.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';
import { imageShape } from './conv.js';

/** A pooling layer with windows. */
class Pool2d extends Module {
  readonly kind: string;
  readonly #size: readonly [number, number];
  readonly #options: PoolOptions;
  readonly #apply: (x: Tensor) => Tensor;

  constructor(kind: string, size: Pair, options: PoolOptions, apply: (x: Tensor) => Tensor) {
    super();
    this.kind = kind;
    this.#size = pairOf(kind, 'size', size);
    this.#options = { stride: this.#size, ...options };
    this.#apply = apply;
  }

  override create(input: Shape): Shape {
    const [h, w, c] = imageShape(this.kind, input);
    const { oh, ow } = windowOf(this.kind, [h, w], this.#size, this.#options);
    return [oh, ow, c];
  }

  override forward(x: Tensor): Tensor {
    return this.#apply(x);
  }
}

/** The largest value of each window, stride = size by default: [N,H,W,C] to [N,OH,OW,C]. */
export function maxPool2d(size: Pair, options: PoolOptions = {}): Module {
  return new Pool2d('maxPool2d', size, options, (x) => maxPoolOp(x, size, options));
}

/** The mean of each window, stride = size by default: [N,H,W,C] to [N,OH,OW,C]. */
export function avgPool2d(size: Pair, options: AvgPoolOptions = {}): Module {
  return new Pool2d('avgPool2d', size, options, (x) => avgPoolOp(x, size, options));
}

/** A pooling layer over whole images. */
class GlobalPool2d extends Module {
  readonly kind: string;
  readonly #apply: (x: Tensor) => Tensor;

  constructor(kind: string, apply: (x: Tensor) => Tensor) {
    super();
    this.kind = kind;
    this.#apply = apply;
  }

  override create(input: Shape): Shape {
    const [, , c] = imageShape(this.kind, input);
    return [c];
  }

  override forward(x: Tensor): Tensor {
    return this.#apply(x);
  }
}

/** The mean of each channel: [N,H,W,C] to [N,C]. */
export function globalAvgPool2d(): Module {
  return new GlobalPool2d('globalAvgPool2d', globalAvgOp);
}

/** The largest value of each channel: [N,H,W,C] to [N,C]. */
export function globalMaxPool2d(): Module {
  return new GlobalPool2d('globalMaxPool2d', globalMaxOp);
}
