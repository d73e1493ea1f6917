import { AnnealError } from '../../errors.js';
import { dropout as dropoutOp } from '../../ops/random/random.js';
import { deriveKey } from '../../random/philox.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { type Mode, Module } from '../module.js';

/** y = x / (1 - p) with probability 1 - p, else 0; in evaluation y = x. */
class Dropout extends Module {
  readonly kind = 'dropout';
  readonly #p: number;
  #path = '';

  constructor(p: number) {
    super();
    if (!(p >= 0 && p < 1)) throw new AnnealError('E_ARGUMENT', `dropout: expected p in [0, 1), received ${p}`);
    this.#p = p;
  }

  override create(input: Shape, _seed: number, path: string): Shape {
    this.#path = path;
    return input;
  }

  override forward(x: Tensor, mode: Mode): Tensor {
    if (!mode.training || this.#p === 0 || this.frozen) return x;
    // Each layer draws from a stream of its own; the step is the counter.
    const [stream] = deriveKey(mode.seed, `dropout:${this.#path}`);
    return dropoutOp(x, this.#p, { seed: mode.seed, stream, counter: mode.step });
  }
}

/** Drops values while training. Srivastava et al. 2014. @throws E_ARGUMENT unless 0 <= p < 1 */
export function dropout(p: number): Module {
  return new Dropout(p);
}
