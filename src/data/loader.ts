// What every loader can do, made of its `epoch`.
import { Ahead } from './ahead.js';
import { augmented, checkTransforms } from './augment.js';
import {
  type BatchIterable,
  type BufferOptions,
  checkBatch,
  checkWhole,
  type EpochOptions,
  type HostBatch,
  type Loader,
  type Normalize,
  type ShuffleOptions,
} from './batch.js';
import { batchOf, copiedExample, exampleOf, type HostExample } from './example.js';
import { ShuffleBuffer } from './shuffle_buffer.js';
import type { Transform } from './transforms.js';

export abstract class LoaderBase implements Loader {
  abstract readonly batchesPerEpoch: number | undefined;
  abstract readonly normalize: Normalize | undefined;
  abstract readonly classCount: number | undefined;
  abstract readonly skipped: number;
  abstract epoch(index: number, options?: EpochOptions): BatchIterable;

  map(fn: (batch: HostBatch) => HostBatch | Promise<HostBatch>): Loader {
    return new StageLoader(this, (source, epoch, options) => mapped(source, fn, epoch, options));
  }

  shuffle({ buffer, seed }: BufferOptions): Loader {
    checkWhole(buffer, 'loader: shuffle buffer', 1);
    return new StageLoader(this, (source, epoch, options) => shuffled(source, buffer, seed, epoch, options));
  }

  augment(transforms: readonly Transform[], { seed }: ShuffleOptions = {}): Loader {
    const purpose = `augment:${this.augmentations}`;
    const augmentation = { ...checkTransforms(transforms), seed, purpose };
    return new AugmentLoader(this, (source, epoch, options) => augmented(source, augmentation, epoch, options));
  }

  prefetch(count: number): Loader {
    return new PrefetchLoader(this, count);
  }

  /** Calls of `augment` behind these batches. */
  get augmentations(): number {
    return 0;
  }
}

/** A loader over another one, which knows how many batches there are and what is in them. */
abstract class DerivedLoader extends LoaderBase {
  constructor(protected readonly source: Loader) {
    super();
  }

  get batchesPerEpoch(): number | undefined {
    return this.source.batchesPerEpoch;
  }

  get normalize(): Normalize | undefined {
    return this.source.normalize;
  }

  get classCount(): number | undefined {
    return this.source.classCount;
  }

  get skipped(): number {
    return this.source.skipped;
  }

  override get augmentations(): number {
    return this.source instanceof LoaderBase ? this.source.augmentations : 0;
  }
}

type Stage = (source: Loader, epoch: number, options: EpochOptions) => AsyncIterable<HostBatch>;

/** A loader whose batches are made of another's. */
class StageLoader extends DerivedLoader {
  constructor(
    source: Loader,
    private readonly stage: Stage,
  ) {
    super(source);
  }

  epoch(index: number, options: EpochOptions = {}): AsyncIterable<HostBatch> {
    checkWhole(index, 'loader: epoch');
    checkWhole(options.skip ?? 0, 'loader: skip');
    return this.stage(this.source, index, options);
  }
}

class AugmentLoader extends StageLoader {
  override get augmentations(): number {
    return super.augmentations + 1;
  }
}

async function* mapped(
  source: Loader,
  fn: (batch: HostBatch) => HostBatch | Promise<HostBatch>,
  epoch: number,
  options: EpochOptions,
): AsyncGenerator<HostBatch> {
  let index = options.skip ?? 0;
  for await (const batch of source.epoch(epoch, options)) {
    const made = await fn(batch);
    checkBatch(made, `batch ${index} of epoch ${epoch}`);
    yield made.position === undefined && batch.position !== undefined ? { ...made, position: batch.position } : made;
    index += 1;
  }
}

/** Batches of the source's sizes, of its examples in another order. */
async function* shuffled(
  source: Loader,
  size: number,
  ownSeed: number | undefined,
  epoch: number,
  { skip = 0, seed = 0 }: EpochOptions,
): AsyncGenerator<HostBatch> {
  const buffer = new ShuffleBuffer<HostExample>(size, ownSeed ?? seed, epoch);
  const sizes: number[] = [];
  let made = 0;
  let position = 0;
  let examples: HostExample[] = [];
  const add = (example: HostExample): HostBatch | undefined => {
    examples.push(example);
    if (examples.length !== sizes[made]) return undefined;
    const batch = made >= skip ? batchOf(examples, position) : undefined;
    position += examples.length;
    made += 1;
    examples = [];
    return batch;
  };
  for await (const batch of source.epoch(epoch, { seed })) {
    sizes.push(batch.size);
    for (let index = 0; index < batch.size; index += 1) {
      const leaving = buffer.push(copiedExample(exampleOf(batch, index)));
      const next = leaving && add(leaving);
      if (next) yield next;
    }
  }
  for (const leaving of buffer.drain()) {
    const next = add(leaving);
    if (next) yield next;
  }
}

/** Another loader's batches, made ahead. */
export class PrefetchLoader extends DerivedLoader {
  constructor(
    source: Loader,
    private readonly count: number,
  ) {
    checkWhole(count, 'loader: prefetch', 1);
    super(source);
  }

  epoch(index: number, options: EpochOptions = {}): AsyncIterable<HostBatch> {
    return { [Symbol.asyncIterator]: () => this.ahead(index, options) };
  }

  /** An epoch that ends when the signal says so, even while the source does not answer. */
  ahead(index: number, { reuse = true, ...options }: EpochOptions = {}, signal?: AbortSignal): Ahead<HostBatch> {
    // Those that are ready, the one that is being made, and those that the consumer may still look at.
    const held = this.count + 1 + (reuse === true ? 2 : Number(reuse));
    const batches = this.source.epoch(index, { ...options, reuse: reuse !== false && held });
    return new Ahead(batches, this.count, signal);
  }

  override prefetch(count: number): Loader {
    return new PrefetchLoader(this.source, count);
  }
}
