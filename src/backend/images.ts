// Batches of images changed by the addon, away from JavaScript's thread (native/images/augment.h).
import { addon } from '../binding.js';

export type ImageArray = Uint8Array | Float32Array;

/** Images [N, H, W, C]; the array may be used again at once. */
export interface ImageBatch {
  readonly data: ImageArray;
  readonly shape: readonly [images: number, height: number, width: number, channels: number];
}

/** Numbers of a stage, in the order of `Augmentation::kNumbers`. */
export const STAGE_NUMBERS = 12;

/** Bytes of work that are worth a thread of their own. */
const WORTH_A_THREAD = 2 ** 20;
/** Threads of Node.js's pool, by default. */
const MOST_THREADS = 4;

/** How many threads work on a batch: the result does not depend on it. */
function pieces(data: ImageArray, stages: number): number {
  return Math.min(MOST_THREADS, Math.ceil((data.byteLength * stages) / WORTH_A_THREAD));
}

const arrayLike = (data: ImageArray, buffer: ArrayBuffer): ImageArray =>
  data instanceof Uint8Array ? new Uint8Array(buffer) : new Float32Array(buffer);

/** The images after all stages; the first of them is at `position` of the epoch. @throws AnnealError for stages that make no sense */
export async function augmentImages(
  { data, shape }: ImageBatch,
  stages: Float64Array,
  epoch: number,
  position: number,
): Promise<ImageArray> {
  const count = pieces(data, stages.length / STAGE_NUMBERS);
  return arrayLike(data, await addon().augment(data, Float64Array.from(shape), stages, epoch, position, count));
}

/** What of each image is mixed with that of its partner. */
export interface ImageMix {
  /** Of the image itself, within the box. */
  readonly weight: number;
  readonly top: number;
  readonly left: number;
  /** Exclusive, as `right`. */
  readonly bottom: number;
  readonly right: number;
}

/** weight x + (1 - weight) x of the partner within the box, x outside of it; bytes are rounded to the nearest. */
export async function mixImages(
  { data, shape }: ImageBatch,
  partners: ArrayLike<number>,
  { weight, top, left, bottom, right }: ImageMix,
): Promise<ImageArray> {
  const mix = Float64Array.of(weight, top, left, bottom, right);
  const order = Float64Array.from(partners);
  return arrayLike(data, await addon().mixImages(data, Float64Array.from(shape), order, mix, pieces(data, 1)));
}
