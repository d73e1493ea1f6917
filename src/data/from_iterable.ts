import {
  type BatchIterable,
  checkBatch,
  checkWhole,
  type EpochOptions,
  type HostBatch,
  type Loader,
  type Normalize,
} from './batch.js';
import { LoaderBase } from './loader.js';

export interface IterableOptions {
  /** When known; the progress bar and schedules in epochs need it. */
  readonly batchesPerEpoch?: number;
  readonly normalize?: Normalize;
  /** Classes that y names, where they are classes: `mixup` and `cutmix` need it. */
  readonly classCount?: number;
  /**
   * Whether the factory starts at `options.skip` itself. When not (the default), skipped batches are read and dropped. Batches
   * of a seekable source that are augmented should say their `position`.
   */
  readonly seekable?: boolean;
}

/** `EpochOptions`, all of them there: a batch is valid until two more have been taken (`reuse`), or for good. */
export interface FactoryOptions extends Required<EpochOptions> {
  readonly reuse: boolean;
}

/** Makes the batches of one epoch. It must give the same ones for the same epoch and seed, or runs cannot be resumed. */
export type BatchFactory = (epoch: number, options: FactoryOptions) => BatchIterable;

/**
 * A loader over any source of batches, synchronous or not.
 * @throws AnnealError E_SHAPE or E_DTYPE while iterating, when a batch is not consistent.
 */
export function fromIterable(factory: BatchFactory, options: IterableOptions = {}): Loader {
  if (options.batchesPerEpoch !== undefined) checkWhole(options.batchesPerEpoch, 'fromIterable: batchesPerEpoch');
  return new IterableLoader(factory, options);
}

class IterableLoader extends LoaderBase {
  readonly batchesPerEpoch: number | undefined;
  readonly normalize: Normalize | undefined;
  readonly classCount: number | undefined;
  readonly skipped = 0;
  private readonly seekable: boolean;

  constructor(
    private readonly factory: BatchFactory,
    { batchesPerEpoch, normalize, classCount, seekable = false }: IterableOptions,
  ) {
    super();
    this.batchesPerEpoch = batchesPerEpoch;
    this.normalize = normalize;
    this.classCount = classCount;
    this.seekable = seekable;
  }

  async *epoch(index: number, options: EpochOptions = {}): AsyncGenerator<HostBatch> {
    const { skip = 0, seed = 0, reuse = true } = options;
    checkWhole(index, 'loader: epoch');
    checkWhole(skip, 'loader: skip');
    let number = this.seekable ? skip : 0;
    // How many examples a seekable source has left out is not known, so that its batches have positions far apart.
    let position = 0;
    for await (const batch of this.factory(index, { skip: this.seekable ? skip : 0, seed, reuse: reuse === true })) {
      checkBatch(batch, `batch ${number} of epoch ${index}`);
      if (this.seekable) position = number * APART;
      if (number >= skip) yield batch.position === undefined ? { ...batch, position } : batch;
      position += batch.size;
      number += 1;
    }
  }
}

/** More examples than a batch has. */
const APART = 2 ** 24;
