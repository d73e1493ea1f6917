// Layers without parameters that only look at shapes.
import { AnnealError } from '../../errors.js';
import { reshape } from '../../ops/reshape.js';
import { formatShape, type Shape, sizeOf } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { Module } from '../module.js';

class Flatten extends Module {
  readonly kind = 'flatten';

  override create(input: Shape): Shape {
    return [sizeOf(input)];
  }

  override forward(x: Tensor): Tensor {
    return x.rank === 2 ? x : reshape(x, [x.shape[0] ?? 1, sizeOf(x.shape.slice(1))]);
  }
}

/** [N, ...] to [N, product of the rest]; what is [N, features] already is returned itself. */
export function flatten(): Module {
  return new Flatten();
}

class Reshape extends Module {
  readonly kind = 'reshape';
  readonly #shape: Shape;

  constructor(shape: Shape) {
    super();
    this.#shape = shape;
  }

  override create(input: Shape): Shape {
    if (sizeOf(input) !== sizeOf(this.#shape)) {
      throw new AnnealError(
        'E_SHAPE',
        `reshape: expected samples of ${sizeOf(this.#shape)} elements, received ${formatShape(input)}`,
      );
    }
    return this.#shape;
  }

  override forward(x: Tensor): Tensor {
    return reshape(x, [x.shape[0] ?? 1, ...this.#shape]);
  }
}

/** [N, ...] to [N, ...shape]. */
export function reshapeTo(shape: Shape): Module {
  return new Reshape(shape);
}
