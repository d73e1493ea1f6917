// Numbers drawn one after the other from one Philox stream, as many as are asked for.
import { deriveKey, type Key, philoxInto } from './philox.js';

/**
 * The stream of (seed, purpose, w1, w2): counter (block, w1, w2, 0) for block 0, 1, ... How much of it is used may depend on
 * what is drawn, yet never on anything outside of it.
 */
export class Draws {
  readonly #key: Key;
  readonly #w1: number;
  readonly #w2: number;
  readonly #words = new Uint32Array(4);
  #block = 0;
  #used = 4;

  constructor(seed: number, purpose: string, w1: number, w2: number) {
    this.#key = deriveKey(seed, purpose);
    this.#w1 = w1;
    this.#w2 = w2;
  }

  /** A uniform 32-bit word. */
  word(): number {
    if (this.#used === 4) {
      philoxInto(this.#words, this.#key, this.#block, this.#w1, this.#w2, 0);
      this.#block += 1;
      this.#used = 0;
    }
    const word = this.#words[this.#used] ?? 0;
    this.#used += 1;
    return word;
  }

  /** Uniform in 0 .. range-1, without bias, for range in 1 .. 2^32. */
  below(range: number): number {
    const limit = 2 ** 32 - (2 ** 32 % range); // words from here on would favour small results
    for (;;) {
      const word = this.word();
      if (word < limit) return word % range;
    }
  }

  /** Uniform in (0, 1), the middles of 2^32 equal parts: its logarithm is finite. */
  unit(): number {
    return (this.word() + 0.5) / 2 ** 32;
  }

  /** Standard normal. Box and Muller, "A note on the generation of random normal deviates" (1958). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(this.unit())) * Math.cos(2 * Math.PI * this.unit());
  }
  /**
   * Beta(alpha, alpha), as G / (G + H) of two gamma variates, by their logarithms: for a small alpha both may be below the smallest
   * number.
   */
  beta(alpha: number): number {
    return 1 / (1 + Math.exp(this.#logGamma(alpha) - this.#logGamma(alpha)));
  }

  /**
   * The logarithm of a gamma variate. Marsaglia, Tsang, "A simple method for generating gamma variables" (2000), for alpha + 1,
   * and U^(1 / alpha) of it.
   */
  #logGamma(alpha: number): number {
    const d = alpha + 2 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(this.unit()) < x ** 2 / 2 + d - d * v + d * Math.log(v)) {
        return Math.log(d * v) + Math.log(this.unit()) / alpha;
      }
    }
  }
}
