import { wholeNumber } from '../../checks.js';
import { embedding as embeddingOp } from '../../ops/gather/gather.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { type Initializer, initialize, randomNormal } from '../init.js';
import { Module } from '../module.js';

export interface EmbeddingOptions {
  /** Ids are in [0, vocabulary). */
  readonly vocabulary: number;
  /** Features of an id. */
  readonly units: number;
  /** Default N(0, 1). */
  readonly init?: Initializer;
}

/** Rows of a table: ids i32 [...] to [..., units]. */
class Embedding extends Module {
  readonly kind = 'embedding';
  readonly #options: EmbeddingOptions;
  #weight!: Tensor<'f32'>;

  constructor(options: EmbeddingOptions) {
    super();
    wholeNumber('embedding', 'vocabulary', options.vocabulary);
    wholeNumber('embedding', 'units', options.units);
    this.#options = options;
  }

  override create(input: Shape, seed: number, path: string): Shape {
    const { vocabulary, units, init = randomNormal(0, 1) } = this.#options;
    const fans = { fanIn: vocabulary, fanOut: units };
    this.#weight = this.parameter('weight', initialize(init, [vocabulary, units], fans, seed, path, 'weight'));
    return [...input, units];
  }

  override forward(x: Tensor): Tensor {
    return embeddingOp(this.#weight, x);
  }
}

/** A table of vectors, looked up by i32 ids. An id outside of the table fails on the device. */
export function embedding(options: EmbeddingOptions): Module {
  return new Embedding(options);
}
