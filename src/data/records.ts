import {
  type BufferOptions,
  checkWhole,
  type EpochOptions,
  type HostBatch,
  type Loader,
  type Normalize,
} from './batch.js';
import {
  badRecord,
  batchOf,
  checkAlike,
  copiedExample,
  type Example,
  type HostExample,
  hostExample,
  type OnBad,
} from './example.js';
import { LoaderBase } from './loader.js';
import { ShuffleBuffer } from './shuffle_buffer.js';

/** An Error in place of a record stands for one that is bad. */
export type RecordIterable = Iterable<Example | Error> | AsyncIterable<Example | Error>;

/** Makes the records of one epoch. It must give the same ones for the same epoch and seed, or runs cannot be resumed. */
export type RecordFactory = (epoch: number, options: { readonly seed: number }) => RecordIterable;

export interface RecordOptions {
  /** Records in a batch. */
  readonly batch: number;
  /** Leave out a last batch of fewer records (default false). */
  readonly dropLast?: boolean;
  /**
   * What to do about a record that is an Error, is no example, or has another shape than the first one: end with an error that
   * has its number, or leave it out and count it in `skipped`. Default 'error'.
   */
  readonly onBad?: OnBad;
  readonly normalize?: Normalize;
  /** When known; the progress bar and schedules in epochs need it. */
  readonly batchesPerEpoch?: number;
  /** Classes that y names, where they are classes: `mixup` and `cutmix` need it. */
  readonly classCount?: number;
}

/**
 * A loader over a stream of records, synchronous or not. Batches are made of whatever is good, in order; `shuffle({ buffer })`
 * shuffles the records. A run that is resumed reads the epoch's records again from its start.
 * @throws AnnealError E_RANGE unless batch is a whole number >= 1; while iterating, for a bad record.
 */
export function fromRecords(factory: RecordFactory, options: RecordOptions): Loader {
  checkWhole(options.batch, 'fromRecords: batch', 1);
  if (options.batchesPerEpoch !== undefined) checkWhole(options.batchesPerEpoch, 'fromRecords: batchesPerEpoch');
  return new RecordLoader(factory, options, undefined);
}

class RecordLoader extends LoaderBase {
  readonly batchesPerEpoch: number | undefined;
  readonly normalize: Normalize | undefined;
  readonly classCount: number | undefined;
  skipped = 0;

  constructor(
    private readonly factory: RecordFactory,
    private readonly options: RecordOptions,
    private readonly shuffled: BufferOptions | undefined,
  ) {
    super();
    this.batchesPerEpoch = options.batchesPerEpoch;
    this.normalize = options.normalize;
    this.classCount = options.classCount;
  }

  override shuffle(options: BufferOptions): Loader {
    checkWhole(options.buffer, 'loader: shuffle buffer', 1);
    return new RecordLoader(this.factory, this.options, options);
  }

  epoch(index: number, { skip = 0, seed = 0 }: EpochOptions = {}): AsyncIterable<HostBatch> {
    checkWhole(index, 'loader: epoch');
    checkWhole(skip, 'loader: skip');
    return { [Symbol.asyncIterator]: () => this.batches(index, skip, seed) };
  }

  private async *batches(epoch: number, skip: number, seed: number): AsyncGenerator<HostBatch> {
    const { batch: size, dropLast = false } = this.options;
    let position = 0;
    let examples: HostExample[] = [];
    for await (const example of this.examples(epoch, seed)) {
      examples.push(example);
      if (examples.length < size) continue;
      if (position >= skip * size) yield batchOf(examples, position);
      position += size;
      examples = [];
    }
    if (examples.length > 0 && !dropLast && position >= skip * size) yield batchOf(examples, position);
  }

  private async *examples(epoch: number, seed: number): AsyncGenerator<HostExample> {
    const { shuffled } = this;
    if (shuffled === undefined) {
      yield* this.good(epoch, seed);
      return;
    }
    const buffer = new ShuffleBuffer<HostExample>(shuffled.buffer, shuffled.seed ?? seed, epoch);
    for await (const example of this.good(epoch, seed)) {
      const leaving = buffer.push(example);
      if (leaving) yield leaving;
    }
    yield* buffer.drain();
  }

  /** The records that are examples, all of the first one's form. */
  private async *good(epoch: number, seed: number): AsyncGenerator<HostExample> {
    let number = 0;
    let first: HostExample | undefined;
    this.skipped = 0;
    for await (const record of this.factory(epoch, { seed })) {
      let example: HostExample | undefined;
      try {
        if (record instanceof Error) throw record;
        // Of its own: a source may use its arrays again.
        example = copiedExample(hostExample(record));
        checkAlike(example, first ?? example);
        first ??= example;
      } catch (error) {
        if (this.options.onBad !== 'skip') throw badRecord(number, error);
        example = undefined;
        this.skipped += 1;
      }
      number += 1;
      if (example) yield example;
    }
  }
}
