import { AnnealError } from '../errors.js';
import { checkHostTensor, type HostTensor } from '../io/host_tensor.js';
import type { Transform } from './transforms.js';

/** How stored values become f32 inputs, on the device: x * scale + offset. */
export interface Normalize {
  readonly scale: number;
  readonly offset: number;
}

/** `size` examples: x is [size, ...], y is [size, ...]. */
export interface HostBatch {
  readonly x: HostTensor;
  readonly y: HostTensor;
  readonly size: number;
  /** f32 [size]: how much each example counts in the loss. Default: all the same. */
  readonly weight?: HostTensor;
  /**
   * Of the first example, counted over the epoch from 0: what is random about an example (augmentation) follows from it. A
   * loader adds it where a source of batches leaves it out.
   */
  readonly position?: number;
}

/** `for await` takes either. */
export type BatchIterable = Iterable<HostBatch> | AsyncIterable<HostBatch>;

export interface EpochOptions {
  /** Batches to leave out at the start of the epoch (default 0): a resumed run goes on where it stopped. */
  readonly skip?: number;
  /** The seed of the shuffle, for loaders that shuffle without one of their own (default 0). */
  readonly seed?: number;
  /**
   * Whether batches come in arrays that are used again (default true): a batch is then valid until two more have been
   * taken, or with a number until so many have. With false each batch has arrays of its own.
   */
  readonly reuse?: boolean | number;
}

export interface ShuffleOptions {
  /** Without one, the seed given to `epoch` holds: the trainer passes that of the run. */
  readonly seed?: number;
}

export interface BufferOptions extends ShuffleOptions {
  /** Examples that are held, of which a random one goes on whenever another comes. */
  readonly buffer: number;
}

/**
 * Gives the batches of any epoch, the same ones each time it is asked for the same epoch and seed, also from the middle on:
 * those of `epoch(e, { skip })` are bit for bit those of `epoch(e)` after the first `skip`.
 */
export interface Loader {
  /** undefined when the source does not say. */
  readonly batchesPerEpoch: number | undefined;
  readonly normalize: Normalize | undefined;
  /** Classes that y may name; undefined when the source does not say, or y are no classes. */
  readonly classCount: number | undefined;
  /** Bad records that the latest epoch has left out so far, where `onBad: 'skip'` was asked for. */
  readonly skipped: number;
  /** @throws AnnealError E_RANGE when epoch or skip is not a whole number >= 0. */
  epoch(index: number, options?: EpochOptions): BatchIterable;
  /** Applies `fn` to each batch on the host; it may change the batch's arrays in place, or give a new batch. */
  map(fn: (batch: HostBatch) => HostBatch | Promise<HostBatch>): Loader;
  /**
   * Shuffles the examples of a stream through a buffer, anew in each epoch; batches keep their sizes. An example leaves at
   * most `buffer - 1` places early. A run that is resumed reads the epoch's examples again from its start. A dataset in
   * memory, and one whose examples are mapped, shuffles all of its examples instead, and needs no buffer.
   * @throws AnnealError E_RANGE when buffer is not a whole number >= 1.
   */
  shuffle(options: BufferOptions): Loader;
  /**
   * Changes images [N, H, W, C], u8 or f32, at random, by the transforms in their order; a mixing of the batch may be the last.
   * It runs on threads of its own. What happens to an image follows from the seed (of the run, unless one is given), the epoch
   * and the image's position in it, never from the batch size.
   * @throws AnnealError E_ARGUMENT, E_RANGE or E_SHAPE for what does not fit; of images, while iterating.
   */
  augment(transforms: readonly Transform[], options?: ShuffleOptions): Loader;
  /**
   * Makes up to `count` batches ahead of the one that is asked for, one at a time, in their order: reading and decoding go
   * on while the device computes. `train.fit` does so with two of any loader that is not a dataset in memory.
   * @throws AnnealError E_RANGE when count is not a whole number >= 1.
   */
  prefetch(count: number): Loader;
}

/** @throws AnnealError E_RANGE when the value is not a whole number >= minimum. */
export function checkWhole(value: number, who: string, minimum = 0): void {
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw new AnnealError('E_RANGE', `${who}: expected a whole number >= ${minimum}, received ${value}`);
  }
}

/** @throws AnnealError E_SHAPE or E_DTYPE when the batch is not consistent. */
export function checkBatch(batch: HostBatch, who: string): void {
  const { x, y, weight } = batch;
  for (const [name, tensor] of Object.entries({ x, y, ...(weight && { weight }) })) {
    checkHostTensor(tensor, `${who}: ${name}`);
    if (tensor.shape[0] !== batch.size) {
      throw new AnnealError(
        'E_SHAPE',
        `${who}: expected ${name} of shape [${batch.size}, ...] for a batch of ${batch.size}, received [${tensor.shape}]`,
      );
    }
  }
}
