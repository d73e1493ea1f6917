import { checkWhole, type EpochOptions, type HostBatch, type Normalize, type ShuffleOptions } from './batch.js';
import type { Column } from './columns.js';
import { LoaderBase } from './loader.js';
import { Shuffled } from './permutation.js';

/** Where the examples of a dataset are, and in which order an epoch goes through them. */
export interface Selection {
  readonly x: Column;
  readonly y: Column;
  /** Rows of both. */
  readonly rows: Uint32Array;
  /** undefined: in their order. */
  readonly shuffled: ShuffleOptions | undefined;
}

export interface BatchOptions {
  /** Leave out a last batch of fewer than `size` examples (default false). */
  readonly dropLast?: boolean;
}

/** The rows at positions [from, to) of an epoch. */
export function rowOrder(
  { rows, shuffled }: Selection,
  epoch: number,
  seed: number,
): (from: number, to: number) => Uint32Array {
  if (shuffled === undefined) return (from, to) => rows.subarray(from, to);
  const order = new Shuffled(rows.slice(), shuffled.seed ?? seed, 'shuffle', epoch);
  return (from, to) => order.range(from, to);
}

/** Batches over a dataset. Made by `Dataset.batch`. */
export class ArrayLoader extends LoaderBase {
  readonly batchesPerEpoch: number;
  /** Examples in an epoch, without those that dropLast leaves out. */
  readonly examplesPerEpoch: number;
  readonly skipped = 0;

  constructor(
    private readonly selection: Selection,
    readonly batchSize: number,
    private readonly dropLast: boolean,
    readonly normalize: Normalize | undefined,
    private readonly countClasses: () => number | undefined,
  ) {
    super();
    const { length } = selection.rows;
    const batches = length / batchSize;
    this.batchesPerEpoch = dropLast ? Math.floor(batches) : Math.ceil(batches);
    this.examplesPerEpoch = Math.min(length, this.batchesPerEpoch * batchSize);
  }

  /** One more than the largest label, or as many as the dataset has names for. */
  get classCount(): number | undefined {
    return this.countClasses();
  }

  /** The same loader with another order of all examples in each epoch. */
  override shuffle({ seed }: ShuffleOptions = {}): ArrayLoader {
    const shuffled = seed === undefined ? {} : { seed };
    return new ArrayLoader(
      { ...this.selection, shuffled },
      this.batchSize,
      this.dropLast,
      this.normalize,
      this.countClasses,
    );
  }

  epoch(index: number, { skip = 0, seed = 0, reuse = true }: EpochOptions = {}): Iterable<HostBatch> {
    checkWhole(index, 'loader: epoch');
    checkWhole(skip, 'loader: skip');
    return { [Symbol.iterator]: () => this.batches(index, skip, seed, reuse) };
  }

  private *batches(epoch: number, skip: number, seed: number, reuse: boolean | number): Generator<HostBatch> {
    const { x, y } = this.selection;
    const rowsOf = rowOrder(this.selection, epoch, seed);
    const held = reuse === true ? 2 : Number(reuse);
    const gatherX = x.gatherer(this.batchSize, held);
    const gatherY = y.gatherer(this.batchSize, held);
    for (let batch = skip; batch < this.batchesPerEpoch; batch += 1) {
      const position = batch * this.batchSize;
      const rows = rowsOf(position, position + this.batchSize);
      yield { x: gatherX(rows), y: gatherY(rows), size: rows.length, position };
    }
  }
}
