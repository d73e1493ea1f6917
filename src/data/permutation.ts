import { deriveKey, philoxInto } from '../random/philox.js';

/**
 * A uniform permutation of `values`, in place, that follows from (seed, purpose, epoch) alone: Fisher-Yates from the front
 * on the Philox stream of that purpose, whose counter is (block, 0, epoch, 0). Draws are unbiased (rejection), so how many
 * blocks are used depends on the values, yet never on anything outside this class.
 *
 * It is drawn as far as it is asked for: an epoch over millions of rows begins without shuffling them all first.
 */
export class Shuffled {
  readonly #values: Uint32Array;
  readonly #key: readonly [number, number];
  readonly #epoch: number;
  readonly #words = new Uint32Array(4);
  #block = 0;
  #used = 4;
  #drawn = 0;

  constructor(values: Uint32Array, seed: number, purpose: string, epoch: number) {
    this.#values = values;
    this.#key = deriveKey(seed, purpose);
    this.#epoch = epoch;
  }

  /** The values at positions [from, to) of the permuted order. */
  range(from: number, to: number): Uint32Array {
    const values = this.#values;
    const end = Math.min(to, values.length);
    for (let at = this.#drawn; at < end; at += 1) {
      const pick = at + this.#below(values.length - at);
      const held = values[at] ?? 0;
      values[at] = values[pick] ?? 0;
      values[pick] = held;
    }
    this.#drawn = Math.max(this.#drawn, end);
    return values.subarray(from, end);
  }

  /** Uniform in 0 .. range-1. */
  #below(range: number): number {
    const limit = 2 ** 32 - (2 ** 32 % range); // words from here on would favour small results
    for (;;) {
      if (this.#used === 4) {
        philoxInto(this.#words, this.#key, this.#block, 0, this.#epoch, 0);
        this.#block += 1;
        this.#used = 0;
      }
      const word = this.#words[this.#used] ?? 0;
      this.#used += 1;
      if (word < limit) return word % range;
    }
  }
}

/** 0 .. length-1 in their order. */
export function ascending(length: number): Uint32Array {
  const numbers = new Uint32Array(length);
  for (let index = 0; index < length; index += 1) numbers[index] = index; // a fifteenth of the time that a callback takes
  return numbers;
}

/** All of a permutation of 0 .. length-1. */
export function permutation(length: number, seed: number, purpose: string, epoch: number): Uint32Array {
  return new Shuffled(ascending(length), seed, purpose, epoch).range(0, length);
}
