/**
 * Datasets held in memory: rows of typed arrays, chosen by index and copied into batches.
 *
 * A dataset is a list of row numbers over arrays that are never copied; take, skip and split cut the list, and shuffle
 * marks it. The list is permuted anew in every epoch, as a function of (seed, epoch) alone.
 */
import { AnnealError } from '../errors.js';
import { allocateHostArray, checkHostTensor, type HostTensor } from '../io/host_tensor.js';
import type { HostArray } from '../tensor/dtype.js';
import { checkWhole, type EpochOptions, type HostBatch, type Loader, type Normalize } from './batch.js';
import { mapLoader, PrefetchLoader } from './from_iterable.js';
import { ascending, permutation, Shuffled } from './permutation.js';

export interface DatasetOptions {
  /** How the trainer turns x into f32 on the device. */
  readonly normalize?: Normalize;
}

export interface ShuffleOptions {
  /** Without one, the seed given to `epoch` holds: the trainer passes that of the run. */
  readonly seed?: number;
}

export interface BatchOptions {
  /** Leave out a last batch of fewer than `size` examples (default false). */
  readonly dropLast?: boolean;
}

interface Arrays {
  readonly x: HostTensor;
  readonly y: HostTensor;
}

interface Shuffle {
  readonly seed: number | undefined;
}

export class Dataset {
  /** Examples. */
  readonly length: number;
  /** Shape of one example's x, without the leading axis. */
  readonly shape: readonly number[];
  readonly normalize: Normalize | undefined;

  private constructor(
    private readonly arrays: Arrays,
    private readonly rows: Uint32Array,
    private readonly shuffled: Shuffle | undefined,
    options: DatasetOptions,
  ) {
    this.length = rows.length;
    this.shape = arrays.x.shape.slice(1);
    this.normalize = options.normalize;
  }

  /**
   * A dataset over x [N, ...] and y [N, ...], which are referred to, not copied.
   * @throws AnnealError E_SHAPE when data, shape and the two leading dimensions do not fit, E_DTYPE for other arrays.
   */
  static fromArrays(arrays: { readonly x: HostTensor; readonly y: HostTensor }, options: DatasetOptions = {}): Dataset {
    const { x, y } = arrays;
    checkHostTensor(x, 'dataset: x');
    checkHostTensor(y, 'dataset: y');
    const length = x.shape[0];
    if (length === undefined || length !== y.shape[0]) {
      throw new AnnealError(
        'E_SHAPE',
        `dataset: expected x and y of shape [N, ...] with the same N, received x [${x.shape}], y [${y.shape}]`,
      );
    }
    if (length > 0xffffffff) {
      throw new AnnealError('E_RANGE', `dataset: expected fewer than 2^32 examples, received ${length}`);
    }
    return new Dataset({ x, y }, ascending(length), undefined, options);
  }

  /** The first `count` examples (all, when there are fewer). */
  take(count: number): Dataset {
    checkWhole(count, 'dataset: take');
    return this.select(this.rows.subarray(0, count));
  }

  /** All but the first `count` examples. */
  skip(count: number): Dataset {
    checkWhole(count, 'dataset: skip');
    return this.select(this.rows.subarray(count));
  }

  /**
   * Two datasets: a random round(fraction N) of the examples and the rest, each in the order of this one.
   * @throws AnnealError E_RANGE when fraction is not within 0..1.
   */
  split(fraction: number, seed = 0): [Dataset, Dataset] {
    if (!(fraction >= 0 && fraction <= 1)) {
      throw new AnnealError('E_RANGE', `dataset: expected a fraction within 0..1, received ${fraction}`);
    }
    const count = Math.round(fraction * this.length);
    const order = permutation(this.length, seed, 'split', 0);
    const part = (from: number, to: number): Dataset =>
      this.select(
        order
          .slice(from, to)
          .sort()
          .map((position) => this.rows[position] ?? 0),
      );
    return [part(0, count), part(count, this.length)];
  }

  /**
   * Iterates in a new order in each epoch. take, skip and split choose the same examples before and after it.
   */
  shuffle({ seed }: ShuffleOptions = {}): Dataset {
    return new Dataset(this.arrays, this.rows, { seed }, this.options());
  }

  /** @throws AnnealError E_RANGE when size is not a whole number >= 1. */
  batch(size: number, { dropLast = false }: BatchOptions = {}): ArrayLoader {
    checkWhole(size, 'dataset: batch size', 1);
    return new ArrayLoader(this.arrays, this.rows, this.shuffled, size, dropLast, this.normalize);
  }

  private select(rows: Uint32Array): Dataset {
    return new Dataset(this.arrays, rows, this.shuffled, this.options());
  }

  private options(): DatasetOptions {
    return this.normalize === undefined ? {} : { normalize: this.normalize };
  }
}

/** Batches over a dataset. Made by `Dataset.batch`. */
export class ArrayLoader implements Loader {
  readonly batchesPerEpoch: number;
  /** Examples in an epoch, without those that dropLast leaves out. */
  readonly examplesPerEpoch: number;

  constructor(
    private readonly arrays: Arrays,
    private readonly rows: Uint32Array,
    private readonly shuffled: Shuffle | undefined,
    readonly batchSize: number,
    private readonly dropLast: boolean,
    readonly normalize: Normalize | undefined,
  ) {
    const batches = rows.length / batchSize;
    this.batchesPerEpoch = dropLast ? Math.floor(batches) : Math.ceil(batches);
    this.examplesPerEpoch = Math.min(rows.length, this.batchesPerEpoch * batchSize);
  }

  /** The same loader with another order in each epoch. */
  shuffle({ seed }: ShuffleOptions = {}): ArrayLoader {
    return new ArrayLoader(this.arrays, this.rows, { seed }, this.batchSize, this.dropLast, this.normalize);
  }

  epoch(index: number, { skip = 0, seed = 0, reuse = true }: EpochOptions = {}): Iterable<HostBatch> {
    checkWhole(index, 'loader: epoch');
    checkWhole(skip, 'loader: skip');
    return { [Symbol.iterator]: () => this.batches(index, skip, seed, reuse) };
  }

  map(fn: (batch: HostBatch) => HostBatch | Promise<HostBatch>): Loader {
    return mapLoader(this, fn);
  }

  prefetch(count: number): Loader {
    return new PrefetchLoader(this, count, true);
  }

  private *batches(epoch: number, skip: number, seed: number, reuse: boolean | number): Generator<HostBatch> {
    const { x, y } = this.arrays;
    const rowsOf = this.order(epoch, seed);
    const held = reuse === true ? 2 : Number(reuse);
    const gatherX = rowGatherer(x, this.batchSize, held);
    const gatherY = rowGatherer(y, this.batchSize, held);
    for (let batch = skip; batch < this.batchesPerEpoch; batch += 1) {
      const rows = rowsOf(batch * this.batchSize, (batch + 1) * this.batchSize);
      yield { x: gatherX(rows), y: gatherY(rows), size: rows.length };
    }
  }

  /** The rows at positions [from, to) of an epoch. */
  private order(epoch: number, seed: number): (from: number, to: number) => Uint32Array {
    if (this.shuffled === undefined) return (from, to) => this.rows.subarray(from, to);
    const order = new Shuffled(this.rows.slice(), this.shuffled.seed ?? seed, 'shuffle', epoch);
    return (from, to) => order.range(from, to);
  }
}

/** Copies rows of `tensor` into a batch, in one of `held` arrays that take turns; 0: in an array of its own. */
function rowGatherer(tensor: HostTensor, batchSize: number, held: number): (rows: Uint32Array) => HostTensor {
  const exampleShape = tensor.shape.slice(1);
  const width = exampleShape.reduce((product, dimension) => product * dimension, 1);
  const ring: HostArray[] = [];
  let turn = 0;
  return (rows) => {
    const slot = held === 0 ? 0 : turn % held;
    const full = (held === 0 ? undefined : ring[slot]) ?? allocateHostArray(tensor.dtype, batchSize * width);
    ring[slot] = full;
    turn += 1;
    const data = full.subarray(0, rows.length * width);
    copyRows(tensor.data, rows, width, data);
    return { data, shape: [rows.length, ...exampleShape], dtype: tensor.dtype };
  };
}

/** target[i] = source[rows[i]]; neighbouring rows travel in one copy. */
function copyRows(source: HostArray, rows: Uint32Array, width: number, target: HostArray): void {
  let start = 0;
  while (start < rows.length) {
    const first = rows[start] ?? 0;
    let end = start + 1;
    while (end < rows.length && rows[end] === first + end - start) end += 1;
    target.set(source.subarray(first * width, (first + end - start) * width), start * width);
    start = end;
  }
}
