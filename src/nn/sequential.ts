import { AnnealError } from '../errors.js';
import { scope } from '../tensor/scope.js';
import type { Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { evaluation, joinPath, type Mode, Module } from './module.js';

/** Layers one after the other. Children are named after their kind and their place among it: conv2d1, conv2d2, dense1. */
export class Sequential extends Module {
  readonly kind = 'sequential';
  #layers: readonly Module[];
  /** The shape of one sample that each layer takes, once it is built. */
  #inputs: readonly Shape[] = [];

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
    this.#layers = named.map(([name, layer]) => this.child(name, layer));
  }

  get layers(): readonly Module[] {
    return this.#layers;
  }

  override create(input: Shape, seed: number, path: string): Shape {
    let shape = input;
    const inputs: Shape[] = [];
    for (const [name, layer] of this.children) {
      inputs.push(shape);
      shape = layer.build(shape, seed, joinPath(path, name));
    }
    this.#inputs = inputs;
    return shape;
  }

  /**
   * Builds a layer from `seed` and puts it in the place of the last one, which is freed, under its name. Where the new one cannot
   * take what the layer before gives, all stays as it was. @throws E_ARGUMENT unless built; as the layer's `build`
   */
  replaceLast(layer: Module, seed: number): void {
    const last = [...this.children].at(-1);
    const input = this.#inputs.at(-1);
    if (!this.built || last === undefined || input === undefined)
      throw new AnnealError('E_ARGUMENT', 'sequential: expected a model that is built, to replace its last layer');
    const [name, before] = last;
    layer.build(input, seed, joinPath(this.path, name));
    before.dispose();
    this.replaceChild(name, layer);
    this.#layers = [...this.#layers.slice(0, -1), layer];
  }

  override forward(x: Tensor, mode: Mode = evaluation): Tensor {
    let y = x;
    for (const layer of this.#layers) {
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
