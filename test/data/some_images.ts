// Datasets of images for tests of what changes them.
import { Dataset } from '../../src/data/index.js';
import { deriveKey, philox4x32 } from '../../src/random/philox.js';
import { f32, i32, u8 } from '../io/host.js';
import { range } from './batches.js';

export type ImageType = 'u8' | 'f32';
export const word = (seed: number, index: number): number => philox4x32(deriveKey(seed, 'test'), [index, 0, 0, 0])[0];

/** Any images: bytes, or numbers of 0..1 with 8 bits, so that they are exact either way. */
export function images(shape: readonly [number, number, number, number], dtype: ImageType, seed = 1): Dataset {
  const size = shape.reduce((a, b) => a * b, 1);
  const bytes = range(size).map((index) => word(seed, index) >>> 24);
  const x =
    dtype === 'u8'
      ? u8(bytes, shape)
      : f32(
          bytes.map((byte) => byte / 256),
          shape,
        );
  return Dataset.fromArrays({ x, y: i32(range(shape[0]).map((index) => index % 3)) });
}
