// Rows of typed arrays, chosen by number.
import { AnnealError } from '../errors.js';
import { allocateHostArray, type HostTensor } from '../io/host_tensor.js';
import type { DType, HostArray } from '../tensor/dtype.js';
import { formatShape, type Shape, sameShape } from '../tensor/shape.js';

/** Tensors [n, ...] of one form, read as if they followed each other. They are referred to, never copied. */
export class Column {
  /** Of one row. */
  readonly shape: Shape;
  readonly dtype: DType;
  readonly length: number;
  /** Elements of a row. */
  readonly width: number;
  readonly #parts: readonly { readonly data: HostArray; readonly start: number; readonly end: number }[];

  private constructor(tensors: readonly HostTensor[], shape: Shape, dtype: DType) {
    this.shape = shape;
    this.dtype = dtype;
    this.width = shape.reduce((product, dimension) => product * dimension, 1);
    let start = 0;
    this.#parts = tensors.map(({ data, shape: [rows = 0] }) => {
      const part = { data, start, end: start + rows };
      start = part.end;
      return part;
    });
    this.length = start;
  }

  static of(tensor: HostTensor): Column {
    return new Column([tensor], tensor.shape.slice(1), tensor.dtype);
  }

  /** @throws AnnealError E_SHAPE or E_DTYPE unless rows are alike. */
  static concat(columns: readonly [Column, ...Column[]], who: string): Column {
    const [first] = columns;
    for (const { shape, dtype } of columns) {
      if (!sameShape(shape, first.shape)) {
        throw new AnnealError(
          'E_SHAPE',
          `${who}: expected examples of shape ${formatShape(first.shape)}, received ${formatShape(shape)}`,
        );
      }
      if (dtype !== first.dtype) {
        throw new AnnealError('E_DTYPE', `${who}: expected ${first.dtype}, received ${dtype}`);
      }
    }
    const tensors = columns.flatMap((column) =>
      column.#parts.map(({ data, start, end }) => ({ data, shape: [end - start, ...first.shape], dtype: first.dtype })),
    );
    return new Column(tensors, first.shape, first.dtype);
  }

  /** target[i] = row rows[i]; neighbouring rows travel in one copy. */
  copyRows(rows: Uint32Array, target: HostArray): void {
    const { width } = this;
    let start = 0;
    while (start < rows.length) {
      const first = rows[start] ?? 0;
      const part = this.#partOf(first);
      let end = start + 1;
      while (end < rows.length && rows[end] === first + end - start && first + end - start < part.end) end += 1;
      const from = first - part.start;
      target.set(part.data.subarray(from * width, (from + end - start) * width), start * width);
      start = end;
    }
  }

  /** Elements of these rows, one after the other, in an array of their own. */
  values(rows: Uint32Array): HostArray {
    const target = allocateHostArray(this.dtype, rows.length * this.width);
    this.copyRows(rows, target);
    return target;
  }

  /**
   * A function that copies rows into a batch of up to `batchSize`, in one of `held` arrays that take turns; 0: in an array of
   * its own.
   */
  gatherer(batchSize: number, held: number): (rows: Uint32Array) => HostTensor {
    const ring: HostArray[] = [];
    let turn = 0;
    return (rows) => {
      const slot = held === 0 ? 0 : turn % held;
      const full = (held === 0 ? undefined : ring[slot]) ?? allocateHostArray(this.dtype, batchSize * this.width);
      ring[slot] = full;
      turn += 1;
      const data = full.subarray(0, rows.length * this.width);
      this.copyRows(rows, data);
      return { data, shape: [rows.length, ...this.shape], dtype: this.dtype };
    };
  }

  #partOf(row: number) {
    let [low, high] = [0, this.#parts.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (row < (this.#parts[middle]?.end ?? 0)) high = middle;
      else low = middle + 1;
    }
    const part = this.#parts[low];
    if (part === undefined || row >= part.end) {
      throw new AnnealError('E_INTERNAL', `dataset: expected a row below ${this.length}, received ${row}`);
    }
    return part;
  }
}
