import { rowOrder, type Selection } from './array_loader.js';
import { checkWhole, type EpochOptions, type HostBatch, type Normalize, type ShuffleOptions } from './batch.js';
import {
  badRecord,
  batchOf,
  checkAlike,
  type Example,
  exampleOf,
  type HostExample,
  hostExample,
  type OnBad,
} from './example.js';
import { LoaderBase } from './loader.js';

/** What a function over examples may depend on, so that an epoch is the same each time. */
export interface ExampleContext {
  /** The example's number in the dataset's arrays, or in the folder: the same in every epoch. */
  readonly index: number;
  readonly epoch: number;
  /** The run's, as given to `epoch`. */
  readonly seed: number;
}

/** The arrays of `example` are its own, and may be changed. */
export type ExampleFunction = (example: HostExample, context: ExampleContext) => Example | Promise<Example>;

export interface ExampleMap {
  readonly fn: ExampleFunction;
  readonly onBad: OnBad;
}

interface MappedOptions {
  readonly batchSize: number;
  readonly dropLast: boolean;
  readonly normalize: Normalize | undefined;
  readonly classCount: number | undefined;
}

/** Batches of examples that functions make when a batch is asked for, those of one batch side by side. */
export class MappedLoader extends LoaderBase {
  readonly batchesPerEpoch: number | undefined;
  readonly normalize: Normalize | undefined;
  readonly classCount: number | undefined;
  skipped = 0;
  private readonly skips: boolean;

  constructor(
    private readonly selection: Selection,
    private readonly maps: readonly ExampleMap[],
    private readonly options: MappedOptions,
  ) {
    super();
    const { batchSize, dropLast, normalize, classCount } = options;
    const batches = selection.rows.length / batchSize;
    this.skips = maps.some(({ onBad }) => onBad === 'skip');
    // How many records are bad is not known before.
    this.batchesPerEpoch = this.skips ? undefined : dropLast ? Math.floor(batches) : Math.ceil(batches);
    this.normalize = normalize;
    this.classCount = classCount;
  }

  override shuffle({ seed }: ShuffleOptions = {}): MappedLoader {
    const shuffled = seed === undefined ? {} : { seed };
    return new MappedLoader({ ...this.selection, shuffled }, this.maps, this.options);
  }

  epoch(index: number, { skip = 0, seed = 0 }: EpochOptions = {}): AsyncIterable<HostBatch> {
    checkWhole(index, 'loader: epoch');
    checkWhole(skip, 'loader: skip');
    return { [Symbol.asyncIterator]: () => this.batches(index, skip, seed) };
  }

  private async *batches(epoch: number, skip: number, seed: number): AsyncGenerator<HostBatch> {
    const { batchSize, dropLast } = this.options;
    // Where records may be left out, those before decide what is in a batch.
    let made = this.skips ? 0 : skip;
    let position = made * batchSize;
    let examples: HostExample[] = [];
    let first: HostExample | undefined;
    this.skipped = 0;
    for await (const some of this.mapped(epoch, seed, position)) {
      for (const { index, outcome } of some) {
        try {
          if (outcome instanceof Failure) throw outcome.error;
          const example = hostExample(outcome);
          first ??= example;
          checkAlike(example, first);
          examples.push(example);
        } catch (error) {
          if (!this.skips) throw badRecord(index, error);
          this.skipped += 1;
        }
        if (examples.length < batchSize) continue;
        if (made >= skip) yield batchOf(examples, position);
        position += examples.length;
        made += 1;
        examples = [];
      }
    }
    if (examples.length > 0 && !dropLast && made >= skip) yield batchOf(examples, position);
  }

  /** What became of the examples from position `from` on, a batch at a time. */
  private async *mapped(epoch: number, seed: number, from: number) {
    const { selection, options, maps } = this;
    const { x, y } = selection;
    const rowsOf = rowOrder(selection, epoch, seed);
    const { batchSize } = options;
    for (let start = from; start < selection.rows.length; start += batchSize) {
      const rows = rowsOf(start, start + batchSize);
      const batch = { x: x.gatherer(rows.length, 0)(rows), y: y.gatherer(rows.length, 0)(rows), size: rows.length };
      yield await Promise.all(
        Array.from(rows, async (index, place) => {
          let outcome: Example | Failure = exampleOf(batch, place);
          try {
            for (const { fn } of maps) outcome = await fn(hostExample(outcome), { index, epoch, seed });
          } catch (error) {
            outcome = new Failure(error);
          }
          return { index, outcome };
        }),
      );
    }
  }
}

class Failure {
  constructor(readonly error: unknown) {}
}
