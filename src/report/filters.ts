import type { Image } from './png.js';

/** The most values of a parameter that go into its histogram. */
const mostValues = 1 << 16;

/** Every k-th value, where there are more than a histogram needs. */
export function sampled(data: Float32Array): Float32Array {
  const stride = Math.ceil(data.length / mostValues);
  if (stride <= 1) return data;
  return Float32Array.from({ length: Math.ceil(data.length / stride) }, (_, i) => data[i * stride] ?? Number.NaN);
}

/** Pixels of a weight's side, and between filters. */
const zoom = 6;
const gap = 2;

/**
 * The filters of a convolution over images, [KH,KW,1 or 3,OC], side by side in a square: grey or coloured, from the least weight of
 * all filters (0) to the greatest (255). null for other shapes.
 */
export function filterImage(shape: readonly number[], data: ArrayLike<number>): Image | null {
  const [kh = 0, kw = 0, ic = 0, oc = 0] = shape;
  if (shape.length !== 4 || kh * kw < 2 || oc < 1 || (ic !== 1 && ic !== 3)) return null;
  const columns = Math.ceil(Math.sqrt(oc));
  const rows = Math.ceil(oc / columns);
  const [tileHeight, tileWidth] = [kh * zoom + gap, kw * zoom + gap];
  const [height, width] = [rows * tileHeight - gap, columns * tileWidth - gap];
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < data.length; i += 1) {
    const value = data[i] ?? Number.NaN;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const scale = high > low ? 255 / (high - low) : 0;
  const pixels = new Uint8Array(height * width * ic).fill(255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const filter = Math.floor(y / tileHeight) * columns + Math.floor(x / tileWidth);
      const ky = Math.floor((y % tileHeight) / zoom);
      const kx = Math.floor((x % tileWidth) / zoom);
      if (filter >= oc || ky >= kh || kx >= kw) continue;
      for (let c = 0; c < ic; c += 1) {
        const weight = data[((ky * kw + kx) * ic + c) * oc + filter] ?? 0;
        pixels[(y * width + x) * ic + c] = Math.round((weight - low) * scale);
      }
    }
  }
  return { width, height, channels: ic, data: pixels };
}
