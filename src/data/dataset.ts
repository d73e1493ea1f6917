/**
 * Datasets held in memory: rows of typed arrays, chosen by index and copied into batches.
 *
 * A dataset is a list of row numbers over arrays that are never copied; take, skip, split, folds and filter cut the list, and
 * shuffle marks it. The list is permuted anew in every epoch, as a function of (seed, epoch) alone.
 */
import { AnnealError } from '../errors.js';
import { checkHostTensor, type HostTensor } from '../io/host_tensor.js';
import type { HostArray } from '../tensor/dtype.js';
import { ArrayLoader, type BatchOptions, type Selection } from './array_loader.js';
import { checkWhole, type Loader, type Normalize, type ShuffleOptions } from './batch.js';
import { Column } from './columns.js';
import type { OnBad } from './example.js';
import { foldPositions, splitPositions } from './folds.js';
import { type ExampleFunction, type ExampleMap, MappedLoader } from './mapped_loader.js';
import { ascending } from './permutation.js';

export interface DatasetOptions {
  /** How the trainer turns x into f32 on the device. */
  readonly normalize?: Normalize;
  /** Names of the classes that y counts from 0. */
  readonly classes?: readonly string[];
  /** Bad records that were left out when the arrays were read. Default 0. */
  readonly skipped?: number;
}

export interface SplitOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Gives each part its share of every class, within one example; y must be classes. Default false. */
  readonly stratify?: boolean;
}

export interface MapOptions {
  /** 'skip' leaves out an example for which the function throws, or makes another form than for those before. Default 'error'. */
  readonly onBad?: OnBad;
}

/** Examples that `load` makes side by side. */
const LOADED_AT_ONCE = 256;

type MakeLoader<L> = (selection: Selection, size: number, dropLast: boolean, dataset: DatasetOptions) => L;

/** `L`: what `batch` makes. That of a dataset with mapped examples is asynchronous. */
export class Dataset<L extends Loader = ArrayLoader> {
  /** Examples. */
  readonly length: number;
  /** Shape of one example's x, without the leading axis; where examples are mapped, before that. */
  readonly shape: readonly number[];
  readonly normalize: Normalize | undefined;
  /** Names of the classes that y counts from 0, where they have some. */
  readonly classes: readonly string[] | undefined;
  /** Bad records that were left out when it was read, by `onBad: 'skip'`. */
  readonly skipped: number;

  private constructor(
    private readonly selection: Selection,
    private readonly options: DatasetOptions,
    private readonly maps: readonly ExampleMap[],
    private readonly makeLoader: MakeLoader<L>,
  ) {
    this.length = selection.rows.length;
    this.shape = selection.x.shape;
    this.normalize = options.normalize;
    this.classes = options.classes;
    this.skipped = options.skipped ?? 0;
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
    return Dataset.over(Column.of(x), Column.of(y), options);
  }

  private static over(x: Column, y: Column, options: DatasetOptions): Dataset {
    if (x.length > 0xffffffff) {
      throw new AnnealError('E_RANGE', `dataset: expected fewer than 2^32 examples, received ${x.length}`);
    }
    const selection = { x, y, rows: ascending(x.length), shuffled: undefined };
    return new Dataset(selection, options, [], arrayLoader);
  }

  /** The first `count` examples (all, when there are fewer). */
  take(count: number): Dataset<L> {
    checkWhole(count, 'dataset: take');
    return this.withRows(this.selection.rows.subarray(0, count));
  }

  /** All but the first `count` examples. */
  skip(count: number): Dataset<L> {
    checkWhole(count, 'dataset: skip');
    return this.withRows(this.selection.rows.subarray(count));
  }

  /**
   * The examples at these positions, in this order; one may stand there several times.
   * @throws AnnealError E_RANGE for a position that is not within 0 .. length-1.
   */
  select(positions: ArrayLike<number>): Dataset<L> {
    const { rows } = this.selection;
    const chosen = Uint32Array.from(positions, (position) => {
      const row = rows[position];
      if (row === undefined) {
        throw new AnnealError(
          'E_RANGE',
          `dataset: expected positions within 0..${this.length - 1}, received ${position}`,
        );
      }
      return row;
    });
    return this.withRows(chosen);
  }

  /**
   * The examples for which `keep` is true of label and position. Where examples are mapped, labels are those before.
   * @throws AnnealError E_SHAPE unless y is one number for each example; `select` takes positions.
   */
  filter(keep: (y: number, index: number) => boolean): Dataset<L> {
    const labels = this.labels();
    const { rows } = this.selection;
    return this.withRows(rows.filter((_, position) => keep(labels[position] ?? Number.NaN, position)));
  }

  /**
   * Two datasets: a random round(fraction N) of the examples and the rest, each in the order of this one. The last argument is
   * a seed, 0 by default, or `{ seed, stratify }`.
   * @throws AnnealError E_RANGE when fraction is not within 0..1, E_SHAPE or E_DTYPE to stratify without classes.
   */
  split(fraction: number, options: number | SplitOptions = {}): [Dataset<L>, Dataset<L>] {
    const { seed = 0, stratify = false } = typeof options === 'number' ? { seed: options } : options;
    const [chosen, rest] = splitPositions(this.length, fraction, seed, stratify ? this.classLabels() : undefined);
    return [this.select(chosen), this.select(rest)];
  }

  /**
   * Pairs for k-fold cross-validation: each example is in the validation set of exactly one of the k pairs and in the training
   * set of all others. Sizes of the validation sets differ by at most one.
   * @throws AnnealError E_RANGE when k is not a whole number within 2..N, E_SHAPE or E_DTYPE to stratify without classes.
   */
  folds(k: number, { seed = 0, stratify = false }: SplitOptions = {}): { train: Dataset<L>; validation: Dataset<L> }[] {
    const folds = foldPositions(this.length, k, seed, stratify ? this.classLabels() : undefined);
    return folds.map((fold) => {
      const held = new Uint8Array(this.length);
      for (const position of fold) held[position] = 1;
      const { rows } = this.selection;
      return {
        train: this.withRows(rows.filter((_, position) => held[position] === 0)),
        validation: this.select(fold),
      };
    });
  }

  /** Iterates in a new order in each epoch. What chooses examples chooses the same ones before and after it. */
  shuffle({ seed }: ShuffleOptions = {}): Dataset<L> {
    const shuffled = seed === undefined ? {} : { seed };
    return new Dataset({ ...this.selection, shuffled }, this.options, this.maps, this.makeLoader);
  }

  /**
   * The same examples with other labels, worked out at once: i32 where labels were integers, f32 otherwise.
   * @throws AnnealError E_SHAPE unless y is one number for each example, E_DTYPE for a new class that is no whole number.
   */
  relabel(fn: (y: number, index: number) => number, { classes }: Pick<DatasetOptions, 'classes'> = {}): Dataset<L> {
    const labels = this.labels();
    const { x, y, rows, shuffled } = this.selection;
    const dtype = y.dtype === 'f32' || y.dtype === 'f16' ? 'f32' : 'i32';
    const data = dtype === 'f32' ? new Float32Array(y.length) : new Int32Array(y.length);
    rows.forEach((row, position) => {
      const label = fn(labels[position] ?? Number.NaN, position);
      if (dtype === 'i32' && label !== (label | 0)) {
        throw new AnnealError(
          'E_DTYPE',
          `dataset: expected a whole number for the class at ${position}, received ${label}`,
        );
      }
      data[row] = label;
    });
    const relabelled = Column.of({ data, shape: [y.length], dtype });
    const { classes: _, ...kept } = this.options;
    const options = classes === undefined ? kept : { ...kept, classes };
    return new Dataset({ x, y: relabelled, rows, shuffled }, options, this.maps, this.makeLoader);
  }

  /**
   * The examples of this dataset, then those of the others, in their order; not shuffled.
   * @throws AnnealError E_SHAPE, E_DTYPE or E_ARGUMENT unless examples, normalize and classes are alike.
   */
  concat(this: Dataset, ...others: Dataset[]): Dataset {
    const all = [this, ...others];
    for (const { normalize, classes, maps } of others) {
      if (normalize?.scale !== this.normalize?.scale || normalize?.offset !== this.normalize?.offset) {
        throw new AnnealError('E_ARGUMENT', 'dataset: expected the same normalize in all datasets of concat');
      }
      if (String(classes) !== String(this.classes)) {
        throw new AnnealError('E_ARGUMENT', `dataset: expected the classes ${this.classes}, received ${classes}`);
      }
      if (maps.length > 0) throw new AnnealError('E_ARGUMENT', 'dataset: expected concat before map');
    }
    const columns = (of: 'x' | 'y'): Column =>
      Column.concat([this.selection[of], ...others.map((other) => other.selection[of])], `dataset: ${of}`);
    const rows = new Uint32Array(all.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    let start = 0;
    for (const { selection, length } of all) {
      for (let position = 0; position < length; position += 1)
        rows[at + position] = start + (selection.rows[position] ?? 0);
      at += length;
      start += selection.x.length;
    }
    const whole = Dataset.over(columns('x'), columns('y'), this.options);
    return whole.withRows(rows);
  }

  /**
   * Applies `fn` to each example when its batch is made, in every epoch; those of a batch are made side by side. `fn` must
   * depend on nothing but what it is given, or runs cannot be resumed. What chooses examples or reads labels sees those
   * before it. `load` makes a dataset of the results, once.
   */
  map(fn: ExampleFunction, { onBad = 'error' }: MapOptions = {}): Dataset<MappedLoader> {
    return new Dataset<MappedLoader>(
      this.selection,
      this.options,
      [...this.maps, { fn, onBad }],
      (selection, size, dropLast, of) =>
        new MappedLoader(selection, [...this.maps, { fn, onBad }], {
          batchSize: size,
          dropLast,
          normalize: of.normalize,
          classCount: of.classes?.length,
        }),
    );
  }

  /** @throws AnnealError E_RANGE when size is not a whole number >= 1. */
  batch(size: number, { dropLast = false }: BatchOptions = {}): L {
    checkWhole(size, 'dataset: batch size', 1);
    return this.makeLoader(this.selection, size, dropLast, this.options);
  }

  /**
   * The label of each example, in the dataset's order; where examples are mapped, before that.
   * @throws AnnealError E_SHAPE unless y is one number for each example.
   */
  labels(): HostArray {
    const { y, rows } = this.selection;
    if (y.shape.length > 0) {
      throw new AnnealError(
        'E_SHAPE',
        `dataset: expected one label for each example, y [N], received y [N,${y.shape}]`,
      );
    }
    return y.values(rows);
  }

  /**
   * All examples, mapped, as a dataset in memory, in this one's order. With `onBad: 'skip'` the bad ones are left out.
   * @throws AnnealError as the functions of `map`; E_SHAPE when no example is left.
   */
  async load(): Promise<Dataset> {
    const plain = new Dataset({ ...this.selection, shuffled: undefined }, this.options, this.maps, this.makeLoader);
    const loader = plain.batch(LOADED_AT_ONCE);
    const parts: Dataset[] = [];
    for await (const { x, y } of loader.epoch(0, { reuse: false }))
      parts.push(Dataset.fromArrays({ x, y }, this.options));
    const [first, ...others] = parts;
    if (first === undefined) throw new AnnealError('E_SHAPE', 'dataset: expected at least one example, received none');
    const { selection } = first.concat(...others);
    return new Dataset(selection, { ...this.options, skipped: this.skipped + loader.skipped }, [], arrayLoader);
  }

  private classLabels(): HostArray {
    const labels = this.labels();
    if (labels instanceof Float32Array) {
      throw new AnnealError('E_DTYPE', 'dataset: expected classes, i32 or u8, to stratify, received f32');
    }
    return labels;
  }

  private withRows(rows: Uint32Array): Dataset<L> {
    return new Dataset({ ...this.selection, rows }, this.options, this.maps, this.makeLoader);
  }
}

function arrayLoader(
  selection: Selection,
  size: number,
  dropLast: boolean,
  { normalize, classes }: DatasetOptions,
): ArrayLoader {
  let count: number | undefined;
  const countClasses = (): number | undefined => {
    const { y, rows } = selection;
    if (classes !== undefined) return classes.length;
    if (y.shape.length > 0 || (y.dtype !== 'i32' && y.dtype !== 'u8')) return undefined;
    if (count === undefined) {
      count = 0;
      for (const label of y.values(rows)) count = Math.max(count, label + 1);
    }
    return count;
  };
  return new ArrayLoader(selection, size, dropLast, normalize, countClasses);
}
