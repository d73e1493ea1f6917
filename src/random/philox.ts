// Philox4x32-10, the counter-based generator behind all randomness: a pure function of (key, counter), so draws do not
// depend on threads, devices or the order of calls. The same bits as kernels/common/philox.h.
// Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
import { AnnealError } from '../errors.js';

/** 64 bits of key as two 32-bit words. */
export type Key = readonly [number, number];
/** 128 bits of counter, or of output, as four 32-bit words. */
export type Words = readonly [number, number, number, number];

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** The high 32 bits of the 64-bit product of two unsigned words. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16); // below 2^32
  return (aHigh * bHigh + (middle >>> 16) + ((aLow * bHigh + (middle & 0xffff)) >>> 16)) >>> 0;
}

/** Four uniform 32-bit words for this key and counter (words are taken modulo 2^32), into `out`. */
export function philoxInto(out: Uint32Array, key: Key, w0: number, w1: number, w2: number, w3: number): void {
  let k0 = key[0];
  let k1 = key[1];
  let c0 = w0;
  let c1 = w1;
  let c2 = w2;
  let c3 = w3;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** As `philoxInto`, in words of their own. */
export function philox4x32(key: Key, counter: Words): Words {
  const out = new Uint32Array(4);
  philoxInto(out, key, ...counter);
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = out;
  return [w0, w1, w2, w3];
}

/** A word as a float in [0, 1): its upper 24 bits, which an f32 holds exactly. */
export function toUnit(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

/** A seed as the key it stands for. @throws E_ARGUMENT unless it is an integer in [0, 2^53) */
export function seedKey(seed: number): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new AnnealError('E_ARGUMENT', `random: expected a seed that is an integer in [0, 2^53), received ${seed}`);
  }
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/** FNV-1a over UTF-16 code units. */
function hash(text: string, basis: number): number {
  let h = basis;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    h = Math.imul(h ^ (unit & 0xff), 0x01000193);
    h = Math.imul(h ^ (unit >>> 8), 0x01000193);
  }
  return h >>> 0;
}

/**
 * A key for one purpose ('shuffle', 'dropout:3', ...) of a run with this seed: streams of different purposes or seeds
 * are independent, and adding a purpose changes no other. The hash of the purpose is encrypted with the seed as key.
 * @throws E_ARGUMENT unless the seed is an integer in [0, 2^53)
 */
export function deriveKey(seed: number, purpose: string): Key {
  const [low, high] = philox4x32(seedKey(seed), [
    hash(purpose, 0x811c9dc5),
    hash(purpose, 0x5bd1e995),
    purpose.length,
    0,
  ]);
  return [low, high];
}
