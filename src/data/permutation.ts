import { deriveKey, philox4x32 } from '../random/philox.js';

/**
 * A uniform permutation of 0 .. length-1 that follows from (seed, purpose, epoch) alone: Fisher-Yates on the Philox stream of
 * that purpose, whose counter is (block, 0, epoch, 0). Draws are unbiased (rejection), so how many blocks are used depends
 * on the values, yet never on anything outside this function.
 */
export function permutation(length: number, seed: number, purpose: string, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, index) => index);
  const next = wordStream(seed, purpose, epoch);
  for (let last = length - 1; last > 0; last -= 1) {
    const range = last + 1;
    const limit = 2 ** 32 - (2 ** 32 % range); // words from here on would favour small results
    let word = next();
    while (word >= limit) word = next();
    const pick = word % range;
    const held = order[last] ?? 0;
    order[last] = order[pick] ?? 0;
    order[pick] = held;
  }
  return order;
}

function wordStream(seed: number, purpose: string, epoch: number): () => number {
  const key = deriveKey(seed, purpose);
  let block = 0;
  let words: ArrayLike<number> = [];
  let used = 4;
  return () => {
    if (used === 4) {
      words = philox4x32(key, [block, 0, epoch, 0]);
      block += 1;
      used = 0;
    }
    const word = words[used] ?? 0;
    used += 1;
    return word;
  };
}
