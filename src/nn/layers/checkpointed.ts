import { checkpoint } from '../../autograd/checkpoint.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { type Mode, Module } from '../module.js';

class Checkpointed extends Module {
  readonly kind = 'checkpointed';
  readonly #inner: Module;

  constructor(inner: Module) {
    super();
    // Names, and with them initial weights and saved ones, are those of the layer itself.
    this.#inner = this.child('', inner);
  }

  override create(input: Shape, seed: number, path: string): Shape {
    return this.#inner.build(input, seed, path);
  }

  override forward(x: Tensor, mode: Mode): Tensor {
    return checkpoint((input: Tensor) => this.#inner.forward(input, mode))(x);
  }
}

/**
 * A layer, or several as a `sequential`, whose inner values are not kept while training but computed a second time for the
 * backward pass: `autograd.checkpoint` as a layer.
 */
export function checkpointed(inner: Module): Module {
  return new Checkpointed(inner);
}
