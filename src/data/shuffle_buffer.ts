import { Draws } from '../random/draws.js';

/**
 * Shuffles a stream with a bounded memory: of the `size` items that it holds, one drawn uniformly leaves whenever another
 * comes, and the rest leave in a random order at the end. The order follows from (seed, epoch) and the stream's own order
 * alone. An item leaves at most `size - 1` places early, and any number late; with a size of at least the stream's length
 * it is a uniform permutation.
 */
export class ShuffleBuffer<T extends object> {
  readonly #size: number;
  readonly #draws: Draws;
  readonly #held: T[] = [];

  constructor(size: number, seed: number, epoch: number) {
    this.#size = size;
    this.#draws = new Draws(seed, 'shuffle:buffer', 0, epoch);
  }

  /** Takes an item; the one that leaves for it, once the buffer is full. */
  push(item: T): T | undefined {
    if (this.#held.length < this.#size) {
      this.#held.push(item);
      return undefined;
    }
    const at = this.#draws.below(this.#size);
    const leaving = this.#held[at];
    this.#held[at] = item;
    return leaving;
  }

  /** What is left. */
  *drain(): Generator<T> {
    const held = this.#held;
    for (let last = held.pop(); last !== undefined; last = held.pop()) {
      const at = this.#draws.below(held.length + 1);
      const leaving = held[at] ?? last;
      if (at < held.length) held[at] = last;
      yield leaving;
    }
  }
}
