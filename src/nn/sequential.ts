import { AnnealError } from '../errors.js';
import { scope } from '../tensor/scope.js';
import type { Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { evaluation, joinPath, type Mode, Module } from './module.js';

/** Layers one after the other. Children are named after their kind and their place among it: conv2d1, conv2d2, dense1. */
export class Sequential extends Module {
  readonly kind = 'sequential';
  readonly layers: readonly Module[];

  constructor(layers: readonly Module[] | Readonly<Record<string, Module>>) {
    super();
    const counts = new Map<string, number>();
    const named = Array.isArray(layers)
      ? layers.map((layer: Module): [string, Module] => {
          const count = (counts.get(layer.kind) ?? 0) + 1;
          counts.set(layer.kind, count);
          return [`${layer.kind}${count}`, layer];
        })
      : Object.entries(layers as Readonly<Record<string, Module>>);
    if (named.length === 0) throw new AnnealError('E_ARGUMENT', 'sequential: expected at least one layer');
    this.layers = named.map(([name, layer]) => this.child(name, layer));
  }

  override create(input: Shape, seed: number, path: string): Shape {
    let shape = input;
    for (const [name, layer] of this.children) shape = layer.build(shape, seed, joinPath(path, name));
    return shape;
  }

  override forward(x: Tensor, mode: Mode = evaluation): Tensor {
    let y = x;
    for (const layer of this.layers) {
      y = layer.forward(y, mode);
      mode.observe?.(layer, y);
    }
    return y;
  }

  /** The output for a batch, off the tape and in evaluation mode. @throws E_SHAPE */
  predict(x: Tensor): Tensor {
    return scope(() => this.forward(x, evaluation).detach());
  }
}

/** `nn.sequential([nn.dense({ units: 128, activation: 'relu' }), nn.dense({ units: 10 })])`, or with names of your own. */
export function sequential(layers: readonly Module[] | Readonly<Record<string, Module>>): Sequential {
  return new Sequential(layers);
}
