// What a model is made of: parameters by name, buffers by name, children by name, and a forward function.

import { AnnealError } from '../errors.js';
import type { Num } from '../scalar.js';
import { guard } from '../tensor/recorder.js';
import { formatShape, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

/** How a forward pass runs. */
export interface Mode {
  /** Batch norm uses the batch's statistics, dropout drops. */
  readonly training: boolean;
  /** Keys of the randomness of this pass: the same seed and step give the same masks. */
  readonly seed: number;
  readonly step: Num;
  /**
   * Batch norms normalise by the batch and move their running statistics with this weight, whatever their own, also where
   * `training` is false.
   */
  readonly statistics?: number;
  /** Told what each layer of a `sequential` gives. */
  readonly observe?: (layer: Module, output: Tensor) => void;
}

/** Parts of a model by name: a pattern or a function of full names, or names of parameters and of layers with all that is in them. */
export type NameMatch = RegExp | readonly string[] | ((name: string) => boolean);

export function matchesName(match: NameMatch, name: string): boolean {
  if (match instanceof RegExp) return name.search(match) >= 0; // unlike test(), blind to lastIndex
  if (typeof match === 'function') return match(name);
  return match.some((each) => name === each || name.startsWith(`${each}.`));
}

export const evaluation: Mode = { training: false, seed: 0, step: 0 };

/** Values of parameters and buffers on the host, by full name. */
export type Weights = ReadonlyMap<string, { readonly shape: Shape; readonly data: Float32Array }>;

/**
 * A part of a model. Parameters are made by `build`, once the shape of one input sample (without the batch dimension)
 * is known; `forward` then maps a batch to a batch.
 */
export abstract class Module {
  readonly #parameters = new Map<string, Tensor<'f32'>>();
  readonly #buffers = new Map<string, Tensor<'f32'>>();
  readonly #children = new Map<string, Module>();
  #built = false;
  #frozen = false;
  #path = '';

  /** The name of the layer's kind, for names and errors: 'dense', 'conv2d'. */
  abstract readonly kind: string;

  /**
   * Makes the parameters for samples of shape `input`, initialised from `seed` and the parameter's full name, and gives
   * the shape of one output sample. @throws E_SHAPE when the layer cannot take such samples
   */
  abstract create(input: Shape, seed: number, path: string): Shape;

  /** Maps a batch [N, ...input] to [N, ...output]. */
  abstract forward(x: Tensor, mode: Mode): Tensor;

  get built(): boolean {
    return this.#built;
  }

  /** The prefix of its parameters' names, once it is built; '' for the whole model. */
  get path(): string {
    return this.#path;
  }

  /** As `create`; called once. `path` is the prefix of parameter names. @throws E_ARGUMENT when already built */
  build(input: Shape, seed: number, path = ''): Shape {
    if (this.#built) {
      throw new AnnealError(
        'E_ARGUMENT',
        `${this.kind}: expected a model that is not built, received one that is; dispose() it first`,
      );
    }
    this.#path = path;
    try {
      const output = this.create(input, seed, path);
      this.#built = true;
      return output;
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Declares a trainable parameter; it outlives scopes. Returns it. */
  protected parameter(name: string, value: Tensor<'f32'>): Tensor<'f32'> {
    this.#parameters.set(name, value.requireGrad());
    return value;
  }

  /** Declares state that is saved but not trained, such as running means. Returns it. */
  protected buffer(name: string, value: Tensor<'f32'>): Tensor<'f32'> {
    this.#buffers.set(name, value);
    return value;
  }

  protected child<M extends Module>(name: string, module: M): M {
    if (this.#children.has(name))
      throw new AnnealError('E_ARGUMENT', `${this.kind}: expected distinct names, received '${name}' twice`);
    this.#children.set(name, module);
    return module;
  }

  /** Puts another module in the place of a child; that one is the caller's to dispose. */
  protected replaceChild(name: string, module: Module): void {
    this.#children.set(name, module);
  }

  get children(): ReadonlyMap<string, Module> {
    return this.#children;
  }

  /**
   * Whether it runs as in evaluation, also while the model trains: a batch norm by its running statistics, which stand still, a
   * dropout drops nothing. A layer is when all of its own parameters are frozen, or, where it has none, when its name was matched.
   */
  get frozen(): boolean {
    guard(() => this.#frozen);
    return this.#frozen;
  }

  /** See `transfer.freeze`. Gives the full names of the parameters and of layers without any that matched. */
  setFrozen(match: NameMatch, frozen: boolean, prefix = ''): string[] {
    const found: string[] = [];
    for (const [name, parameter] of this.#parameters) {
      const path = joinPath(prefix, name);
      if (!matchesName(match, path)) continue;
      found.push(path);
      parameter.requiresGrad = !frozen;
      if (!frozen) continue;
      // An optimizer updates what has a gradient.
      if (parameter.grad !== parameter.gradSlot) parameter.grad?.dispose();
      parameter.grad = null;
    }
    if (this.#parameters.size > 0) {
      this.#frozen = [...this.#parameters.values()].every(({ requiresGrad }) => !requiresGrad);
    } else if (this.#children.size === 0 && matchesName(match, prefix)) {
      found.push(prefix);
      this.#frozen = frozen;
    }
    for (const [name, child] of this.#children) found.push(...child.setFrozen(match, frozen, joinPath(prefix, name)));
    return found;
  }

  /** Every parameter by its full name, e.g. `conv1.weight`, in the order of the layers. */
  namedParameters(prefix = ''): Map<string, Tensor<'f32'>> {
    return this.#collect(prefix, (module) => module.#parameters);
  }

  /** Every untrained buffer by its full name, e.g. `bn1.runningMean`. */
  namedBuffers(prefix = ''): Map<string, Tensor<'f32'>> {
    return this.#collect(prefix, (module) => module.#buffers);
  }

  #collect(prefix: string, own: (module: Module) => ReadonlyMap<string, Tensor<'f32'>>): Map<string, Tensor<'f32'>> {
    const result = new Map<string, Tensor<'f32'>>();
    for (const [name, tensor] of own(this)) result.set(joinPath(prefix, name), tensor);
    for (const [name, child] of this.#children) {
      for (const [path, tensor] of child.#collect(joinPath(prefix, name), own)) result.set(path, tensor);
    }
    return result;
  }

  /** The number of parameters, frozen ones included. */
  get parameterCount(): number {
    let count = 0;
    for (const tensor of this.namedParameters().values()) count += tensor.size;
    return count;
  }

  /** Copies of all parameters and buffers, by full name. */
  async stateDict(): Promise<Map<string, { shape: Shape; data: Float32Array }>> {
    const entries = [...this.namedParameters(), ...this.namedBuffers()];
    const values = await Promise.all(entries.map(([, tensor]) => tensor.data()));
    return new Map(
      entries.map(([name, tensor], i) => [name, { shape: tensor.shape, data: values[i] ?? new Float32Array() }]),
    );
  }

  /**
   * Overwrites parameters and buffers by full name. Nothing is changed unless all of it fits.
   * @throws E_ARGUMENT naming missing and unexpected names, E_SHAPE naming a wrong shape
   */
  loadStateDict(state: Weights): void {
    const own = new Map([...this.namedParameters(), ...this.namedBuffers()]);
    const missing = [...own.keys()].filter((name) => !state.has(name));
    const unexpected = [...state.keys()].filter((name) => !own.has(name));
    if (missing.length > 0 || unexpected.length > 0) {
      throw new AnnealError(
        'E_ARGUMENT',
        `loadStateDict: expected the model's own names; missing [${missing.join(', ')}], unexpected [${unexpected.join(', ')}]`,
      );
    }
    for (const [name, { shape, data }] of state) {
      const tensor = own.get(name);
      if (formatShape(shape) !== formatShape(tensor?.shape ?? []) || data.length !== tensor?.size) {
        throw new AnnealError(
          'E_SHAPE',
          `loadStateDict: expected ${name} to be ${formatShape(tensor?.shape ?? [])}, received ${formatShape(shape)}`,
        );
      }
    }
    for (const [name, { data }] of state) own.get(name)?.write(data);
  }

  /** Frees all parameters and buffers; the model can be built again. */
  dispose(): void {
    for (const tensor of [...this.#parameters.values(), ...this.#buffers.values()]) {
      tensor.grad?.dispose();
      tensor.dispose();
    }
    this.#parameters.clear();
    this.#buffers.clear();
    for (const child of this.#children.values()) child.dispose();
    this.#built = false;
    this.#frozen = false;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A child without a name has its parent's. */
export function joinPath(prefix: string, name: string): string {
  return [prefix, name].filter((part) => part !== '').join('.');
}
