// Tables of numbers in CSV files, with a column of classes or of a quantity to predict.
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { type Info, parse } from 'csv-parse';
import { AnnealError, reasonOf } from '../errors.js';
import type { Normalize } from './batch.js';
import { Dataset } from './dataset.js';
import { badRecord, type Example, type OnBad } from './example.js';
import type { RecordFactory } from './records.js';

/** By its name in the header, or by its number, from 0. */
export type ColumnName = string | number;

export interface CsvOptions {
  /** The column to predict. */
  readonly label: ColumnName;
  /** The columns of numbers that x is made of, in this order. Default: all but the label's, in the file's order. */
  readonly features?: readonly ColumnName[];
  /**
   * 'class': y is i32 [N], the number of the label's class. 'value': y is f32 [N, 1], the label itself. Default 'class'.
   */
  readonly target?: 'class' | 'value';
  /**
   * The labels of classes 0, 1, ... Default: all that occur, ascending: by number where all of them are numbers, else by
   * character code. Another label makes a record bad.
   */
  readonly classes?: readonly string[];
  /** Whether the first line has the columns' names. Default true. */
  readonly header?: boolean;
  /** Between fields. Default ','. */
  readonly delimiter?: string;
  /**
   * What to do about a line with another number of fields than the first, no number where one must be, or an unknown class.
   * Default 'error'.
   */
  readonly onBad?: OnBad;
  readonly normalize?: Normalize;
}

interface Row {
  readonly x: Float32Array;
  readonly label: string;
  /** Where it stands, for messages. */
  readonly place: string;
}

/** Numbers of columns. */
interface Columns {
  readonly count: number;
  readonly label: number;
  readonly features: readonly number[];
  readonly nameOf: (column: number) => string;
}

/**
 * A dataset in memory of a CSV file (RFC 4180: quoted fields may hold delimiters and line ends; gzip when the name ends in .gz),
 * read line by line: x f32 [N, features], y as `target` says. What is left out by `onBad: 'skip'` is counted in the dataset's
 * `skipped`.
 * @throws AnnealError E_IO when the file cannot be read; E_FORMAT, with file and line, for a bad record, a column that is not
 *   there, or a file without records.
 */
export async function csv(path: string, options: CsvOptions): Promise<Dataset> {
  const { onBad = 'error', target = 'class', normalize } = options;
  const rows = new Rows();
  const labels: string[] = [];
  const values: number[] = [];
  const known = options.classes && new Set(options.classes);
  let record = 0;
  let skipped = 0;
  for await (const row of csvRows(path, options)) {
    try {
      if (row instanceof Error) throw row;
      if (target === 'value') values.push(quantity(row));
      else if (known && !known.has(row.label)) throw unknownClass(row, options.classes ?? []);
      else labels.push(row.label);
      rows.push(row.x);
    } catch (error) {
      if (onBad === 'error') throw badRecord(record, error);
      skipped += 1;
    }
    record += 1;
  }
  if (rows.count === 0) throw new AnnealError('E_FORMAT', `${path}: expected at least one record, received none`);
  const x = { data: rows.data(), shape: [rows.count, rows.width], dtype: 'f32' } as const;
  const common = { skipped, ...(normalize === undefined ? {} : { normalize }) };
  if (target === 'value') {
    return Dataset.fromArrays(
      { x, y: { data: Float32Array.from(values), shape: [rows.count, 1], dtype: 'f32' } },
      common,
    );
  }
  const classes = options.classes ?? ascendingLabels(labels);
  const numbers = new Map(classes.map((name, index) => [name, index]));
  const y = Int32Array.from(labels, (label) => numbers.get(label) ?? -1);
  return Dataset.fromArrays({ x, y: { data: y, shape: [rows.count], dtype: 'i32' } }, { ...common, classes });
}

/** Of `csvRecords`: what is bad is `fromRecords`'s to decide, and classes cannot be known before the file's end. */
export type CsvRecordOptions = Omit<CsvOptions, 'onBad' | 'normalize'>;

/**
 * The records of a CSV file for `fromRecords`, read anew in each epoch, for files that do not fit into memory:
 *
 *   const records = data.csvRecords('big.csv', { label: 'kind', classes: ['a', 'b'] });
 *   const loader = data.fromRecords(records, { batch: 64 }).shuffle({ buffer: 10_000 });
 *
 * @throws AnnealError E_ARGUMENT without `classes`, where the target is a class.
 */
export function csvRecords(path: string, options: CsvRecordOptions): RecordFactory {
  const { target = 'class', classes } = options;
  if (target === 'class' && classes === undefined) {
    throw new AnnealError(
      'E_ARGUMENT',
      "csvRecords: expected classes, the labels of class 0, 1, ..., or target: 'value'",
    );
  }
  const numbers = new Map(classes?.map((name, index) => [name, index]));
  const example = (row: Row): Example => {
    if (target === 'value') return { x: row.x, y: [quantity(row)] };
    const y = numbers.get(row.label);
    if (y === undefined) throw unknownClass(row, classes ?? []);
    return { x: row.x, y };
  };
  return async function* () {
    for await (const row of csvRows(path, options)) {
      let record: Example | Error;
      try {
        record = row instanceof Error ? row : example(row);
      } catch (error) {
        record = error instanceof Error ? error : new Error(String(error));
      }
      yield record;
    }
  };
}

function ascendingLabels(labels: readonly string[]): string[] {
  const names = [...new Set(labels)];
  if (names.every((name) => isNumber(name))) return names.sort((a, b) => Number(a) - Number(b));
  return names.sort((a, b) => (a < b ? -1 : 1));
}

const isNumber = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text));

function quantity({ label, place }: Row): number {
  if (!isNumber(label))
    throw new AnnealError('E_FORMAT', `${place}: expected a number as the label, received '${label}'`);
  return Number(label);
}

function unknownClass({ label, place }: Row, classes: readonly string[]): AnnealError {
  return new AnnealError('E_FORMAT', `${place}: expected a label of ${classes.join(', ')}, received '${label}'`);
}

/** The file's rows in order; an Error for each that is bad. */
async function* csvRows(path: string, options: CsvRecordOptions): AsyncGenerator<Row | AnnealError> {
  const { header = true, delimiter = ',' } = options;
  let columns: Columns | undefined;
  for await (const { record, line } of csvLines(path, delimiter)) {
    const place = `${path}:${line}`;
    if (columns === undefined) {
      columns = columnsOf(path, record, options);
      if (header) continue;
    }
    yield rowOf(record, columns, place);
  }
}

interface Line {
  readonly record: readonly string[];
  readonly line: number;
}

async function* csvLines(path: string, delimiter: string): AsyncGenerator<Line> {
  const bytes = createReadStream(path);
  const text = path.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
  const parser = parse({
    delimiter,
    info: true,
    relax_column_count: true,
    bom: true,
    skip_empty_lines: true,
    trim: true,
  });
  // `pipe` hands no failure on.
  const fail = (cause: Error): void => void parser.destroy(cause);
  bytes.on('error', fail);
  if (text !== bytes) text.on('error', fail);
  try {
    const records: AsyncIterable<{ record: string[]; info: Info }> = text.pipe(parser);
    for await (const { record, info } of records) yield { record, line: info.lines };
  } catch (cause) {
    const code =
      cause instanceof Error && 'code' in cause && String(cause.code).startsWith('CSV_') ? 'E_FORMAT' : 'E_IO';
    const expected = code === 'E_IO' ? 'a readable file' : 'a CSV file';
    throw new AnnealError(code, `${path}: expected ${expected} (${reasonOf(cause)})`, { cause });
  } finally {
    bytes.destroy();
    parser.destroy();
  }
}

function columnsOf(
  path: string,
  first: readonly string[],
  { label, features, header = true }: CsvRecordOptions,
): Columns {
  const find = (column: ColumnName): number => {
    const index = typeof column === 'number' ? column : header ? first.indexOf(column) : -1;
    if (!Number.isInteger(index) || index < 0 || index >= first.length) {
      const known = header ? `one of ${first.join(', ')}, or ` : '';
      throw new AnnealError(
        'E_FORMAT',
        `${path}: expected a column ${known}of 0..${first.length - 1}, received '${column}'`,
      );
    }
    return index;
  };
  const labelColumn = find(label);
  const all = first.map((_, index) => index).filter((index) => index !== labelColumn);
  return {
    count: first.length,
    label: labelColumn,
    features: features?.map(find) ?? all,
    nameOf: (column) => (header ? `'${first[column] ?? ''}'` : String(column)),
  };
}

function rowOf(record: readonly string[], columns: Columns, place: string): Row | AnnealError {
  if (record.length !== columns.count) {
    return new AnnealError('E_FORMAT', `${place}: expected ${columns.count} fields, received ${record.length}`);
  }
  const x = new Float32Array(columns.features.length);
  for (const [at, column] of columns.features.entries()) {
    const text = record[column] ?? '';
    if (!isNumber(text)) {
      return new AnnealError(
        'E_FORMAT',
        `${place}: expected a number in column ${columns.nameOf(column)}, received '${text}'`,
      );
    }
    x[at] = Number(text);
  }
  return { x, label: record[columns.label] ?? '', place };
}

/** Rows of one width, in an array that grows. */
class Rows {
  count = 0;
  width = 0;
  #data = new Float32Array(1024);

  push(row: Float32Array): void {
    this.width = row.length;
    const start = this.count * row.length;
    if (start + row.length > this.#data.length) {
      const larger = new Float32Array(2 * (start + row.length));
      larger.set(this.#data.subarray(0, start));
      this.#data = larger;
    }
    this.#data.set(row, start);
    this.count += 1;
  }

  /** A copy of what there is. */
  data(): Float32Array {
    return this.#data.slice(0, this.count * this.width);
  }
}
