import { Ahead } from './ahead.js';
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

  async *epoch(index: number, options: EpochOptions = {}): AsyncGenerator<HostBatch> {
    const { skip = 0, seed = 0, reuse = true } = options;
    checkWhole(index, 'loader: epoch');
    checkWhole(skip, 'loader: skip');
    let position = this.seekable ? skip : 0;
    for await (const batch of this.factory(index, { skip: this.seekable ? skip : 0, seed, reuse: reuse === true })) {
      checkBatch(batch, `batch ${position} of epoch ${index}`);
      if (position >= skip) yield batch;
      position += 1;
    }
  }

  map(fn: (batch: HostBatch) => HostBatch | Promise<HostBatch>): Loader {
    return mapLoader(this, fn);
  }

  prefetch(count: number): Loader {
    return new PrefetchLoader(this, count, false);
  }
}

/** Another loader's batches, made ahead. */
export class PrefetchLoader implements Loader {
  readonly batchesPerEpoch: number | undefined;
  readonly normalize: Normalize | undefined;

  /** `lasting`: whether the source knows of a number in `EpochOptions.reuse`. */
  constructor(
    private readonly source: Loader,
    private readonly count: number,
    private readonly lasting: boolean,
  ) {
    checkWhole(count, 'loader: prefetch', 1);
    this.batchesPerEpoch = source.batchesPerEpoch;
    this.normalize = source.normalize;
  }

  epoch(index: number, options: EpochOptions = {}): AsyncIterable<HostBatch> {
    return { [Symbol.asyncIterator]: () => this.ahead(index, options) };
  }

  /** An epoch that ends when the signal says so, even while the source does not answer. */
  ahead(index: number, { reuse = true, ...options }: EpochOptions = {}, signal?: AbortSignal): Ahead<HostBatch> {
    // Those that are ready, the one that is being made, and those that the consumer may still look at.
    const held = this.count + 1 + (reuse === true ? 2 : Number(reuse));
    const batches = this.source.epoch(index, { ...options, reuse: this.lasting && reuse !== false && held });
    return new Ahead(batches, this.count, signal);
  }

  map(fn: (batch: HostBatch) => HostBatch | Promise<HostBatch>): Loader {
    return mapLoader(this, fn);
  }

  prefetch(count: number): Loader {
    return new PrefetchLoader(this.source, count, this.lasting);
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
