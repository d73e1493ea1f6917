// f16 on the host (IEEE 754 binary16), which has no array of its own here: values are widened to f32, which holds them all, and
// rounded to the nearest f16, ties to even, as kernels/common/half.h does.

/** The values of f16 words. */
export function widen(words: Uint16Array): Float32Array {
  const bits = new Uint32Array(words.length);
  const values = new Float32Array(bits.buffer);
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    const magnitude = word & 0x7fff;
    const sign = (word & 0x8000) << 16;
    if (magnitude < 0x400) {
      values[i] = magnitude * 2 ** -24;
      bits[i] = (bits[i] ?? 0) | sign;
    } else if (magnitude < 0x7c00) bits[i] = sign | ((magnitude << 13) + 0x38000000);
    else bits[i] = sign | 0x7f800000 | (magnitude << 13) | (magnitude > 0x7c00 ? 0x400000 : 0);
  }
  return values;
}

/** The nearest f16 words; infinity from 65520 on. */
export function narrow(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const words = new Uint16Array(values.length);
  const sum = new Float32Array(1);
  const sumBits = new Uint32Array(sum.buffer);
  for (let i = 0; i < values.length; i++) {
    const word = bits[i] ?? 0;
    const magnitude = word & 0x7fffffff;
    const sign = (word >>> 16) & 0x8000;
    let half: number;
    if (magnitude < 0x38800000) {
      // Below 2^-14: the last bit of the sum is 2^-24.
      sum[0] = Math.abs(values[i] ?? 0) + 0.5;
      half = (sumBits[0] ?? 0) - 0x3f000000;
    } else if (magnitude < 0x47800000) half = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    else half = magnitude > 0x7f800000 ? 0x7e00 | ((magnitude >>> 13) & 0x3ff) : 0x7c00;
    words[i] = sign | half;
  }
  return words;
}
