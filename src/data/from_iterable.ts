import {
  type BatchIterable,
  checkBatch,
  checkWhole,
  type EpochOptions,
  type HostBatch,
  type Loader,
  type Normalize,
} from './batch.js';

export interface IterableOptions {
  /** When known; the progress bar and schedules in epochs need it. */
  readonly batchesPerEpoch?: number;
  readonly normalize?: Normalize;
  /**
   * Whether the factory starts at `options.skip` itself. When not (the default), skipped batches are read and dropped.
   */
  readonly seekable?: boolean;
}

/** Makes the batches of one epoch. It must give the same ones for the same epoch and seed, or runs cannot be resumed. */
export type BatchFactory = (epoch: number, options: Required<EpochOptions>) => BatchIterable;

/**
 * A loader over any source of batches, synchronous or not.
 * @throws AnnealError E_SHAPE or E_DTYPE while iterating, when a batch is not consistent.
 */
export function fromIterable(factory: BatchFactory, options: IterableOptions = {}): Loader {
  if (options.batchesPerEpoch !== undefined) checkWhole(options.batchesPerEpoch, 'fromIterable: batchesPerEpoch');
  return new IterableLoader(factory, options);
}

class IterableLoader implements Loader {
  readonly batchesPerEpoch: number | undefined;
  readonly normalize: Normalize | undefined;
  private readonly factory: BatchFactory;
  private readonly seekable: boolean;

  constructor(factory: BatchFactory, { batchesPerEpoch, normalize, seekable = false }: IterableOptions) {
    this.factory = factory;
    this.batchesPerEpoch = batchesPerEpoch;
    this.normalize = normalize;
    this.seekable = seekable;
  }

  async *epoch(index: number, { skip = 0, seed = 0, reuse = true }: EpochOptions = {}): AsyncGenerator<HostBatch> {
    checkWhole(index, 'loader: epoch');
    checkWhole(skip, 'loader: skip');
    let position = this.seekable ? skip : 0;
    for await (const batch of this.factory(index, { skip: this.seekable ? skip : 0, seed, reuse })) {
      checkBatch(batch, `batch ${position} of epoch ${index}`);
      if (position >= skip) yield batch;
      position += 1;
    }
  }

  map(fn: (batch: HostBatch) => HostBatch | Promise<HostBatch>): Loader {
    return mapLoader(this, fn);
  }
}

/** The loader whose batches are `fn` of another's. */
export function mapLoader(source: Loader, fn: (batch: HostBatch) => HostBatch | Promise<HostBatch>): Loader {
  const { batchesPerEpoch, normalize } = source;
  return fromIterable(
    async function* (epoch, options) {
      for await (const batch of source.epoch(epoch, options)) yield await fn(batch);
    },
    {
      seekable: true,
      ...(batchesPerEpoch === undefined ? {} : { batchesPerEpoch }),
      ...(normalize === undefined ? {} : { normalize }),
    },
  );
}
