// Reproducible test data: a hash of (index, seed), the same numbers as in test/fixtures/make_cnn_fixture.py.

/** A 32-bit hash of (i, seed). */
export function mix(i: number, seed: number): number {
  let h = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca77);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  h ^= h >>> 12;
  h = Math.imul(h, 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}

/** A number in [-1, 1) with 24 random bits, so exact in float32. */
export function symmetric(i: number, seed: number): number {
  return (mix(i, seed) >>> 8) / 2 ** 23 - 1;
}

/** `count` values in [-scale, scale), rounded to float32 once. */
export function formula(count: number, seed: number, scale = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => symmetric(i, seed) * scale);
}

/** A seed from text. */
export function seedOf(text: string): number {
  let h = 0;
  for (let i = 0; i < text.length; i++) h = mix(text.charCodeAt(i), h);
  return h;
}
