// What a run tells its observers, and the stream that hands it on.

/** Metric values by name: loss, accuracy; after an epoch also val_loss, val_accuracy, ema_val_loss, ema_val_accuracy. */
export type Metrics = Readonly<Record<string, number>>;

export interface StepEvent {
  readonly type: 'step';
  /** Steps done so far, this one included. */
  readonly step: number;
  /** Steps of the whole run; undefined when the data does not say. */
  readonly totalSteps: number | undefined;
  /** From 0. */
  readonly epoch: number;
  readonly epochs: number;
  /** The last batch of the step within the epoch, from 0. */
  readonly batch: number;
  /** Examples. */
  readonly size: number;
  readonly lr: number;
  /** Of the step's batches, before the update. */
  readonly metrics: Metrics;
  /** ms since the step before was done. */
  readonly ms: number;
  /** |update| / |parameter| by parameter name, on the steps where a callback asked for it. */
  readonly updateRatios?: Readonly<Record<string, number>>;
  /** The global norm of the gradients before clipping, on the steps where a callback asked for it. */
  readonly gradNorm?: number;
  /** By layer, on the steps where a callback asked for it. */
  readonly activations?: Readonly<Record<string, ActivationStatistics>>;
}

/** Of what a layer gives for one batch, in evaluation mode. */
export interface ActivationStatistics {
  readonly mean: number;
  /** Of the population. */
  readonly standardDeviation: number;
  /** The share of values that are exactly 0: after a relu, of those it cut off. */
  readonly zeros: number;
  /** The share of units (of the last dimension) that are 0 for every example and position: after a relu, dead for this batch. */
  readonly dead: number;
}

export interface EpochEvent {
  readonly type: 'epoch';
  /** From 0. */
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly lr: number;
  /** loss and accuracy are means over the epoch's training batches; the others come from the validation data. */
  readonly metrics: Metrics;
  readonly seconds: number;
  /** Training examples a second, validation not counted. */
  readonly samplesPerSecond: number;
}

export interface WarningEvent {
  readonly type: 'warning';
  /** Steps done. */
  readonly step: number;
  readonly message: string;
}

/**
 * Why a run ended. 'diverged': a monitored value got worse than a bound; 'updateRatio': the update-to-weight ratio of a parameter
 * left its bounds; 'nonfinite': a loss or a monitored value was NaN or infinite.
 */
export const stopReasons = [
  'completed',
  'aborted',
  'earlyStopping',
  'diverged',
  'updateRatio',
  'nonfinite',
  'error',
] as const;

export type StopReason = (typeof stopReasons)[number];

export interface StopEvent {
  readonly type: 'stop';
  readonly reason: StopReason;
  readonly step: number;
  /** What the run failed with, which its result rejects with, too. */
  readonly error?: unknown;
}

/** A run goes on where a checkpoint left it. */
export interface ResumeEvent {
  readonly type: 'resume';
  /** Steps done before. */
  readonly step: number;
  readonly epoch: number;
  /** The checkpoint's path, without an ending. */
  readonly from: string;
}

export type TrainEvent = StepEvent | EpochEvent | WarningEvent | ResumeEvent | StopEvent;

const HIGH_WATER = 256;

/**
 * Events in order, to any number of iterators. Each sees what is emitted after it was asked for. When an iterator falls
 * behind, `emit` resolves only once it caught up: a slow observer slows the run instead of filling the memory.
 */
export class EventStream<E> implements AsyncIterable<E> {
  readonly #readers = new Set<Reader<E>>();
  #closed = false;

  async emit(event: E): Promise<void> {
    const full: Promise<void>[] = [];
    for (const reader of this.#readers) {
      reader.push(event);
      if (reader.pending >= HIGH_WATER) full.push(reader.drained());
    }
    if (full.length > 0) await Promise.all(full);
  }

  /** Readers may still take what they were given; nothing more reaches them, and nobody waits for them. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.close();
    this.#readers.clear();
  }

  [Symbol.asyncIterator](): AsyncIterator<E> {
    const reader = new Reader<E>(() => this.#readers.delete(reader));
    if (this.#closed) reader.close();
    else this.#readers.add(reader);
    return reader;
  }
}

class Reader<E> implements AsyncIterator<E> {
  readonly #events: E[] = [];
  readonly #unsubscribe: () => void;
  #closed = false;
  #waiting: ((result: IteratorResult<E>) => void) | null = null;
  #onDrained: (() => void)[] = [];

  constructor(unsubscribe: () => void) {
    this.#unsubscribe = unsubscribe;
  }

  get pending(): number {
    return this.#events.length;
  }

  push(event: E): void {
    if (this.#waiting) {
      this.#waiting({ value: event, done: false });
      this.#waiting = null;
    } else {
      this.#events.push(event);
    }
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.#onDrained.push(resolve));
  }

  close(): void {
    this.#closed = true;
    this.#waiting?.({ value: undefined, done: true });
    this.#waiting = null;
    this.#release();
  }

  #release(): void {
    for (const resolve of this.#onDrained.splice(0)) resolve();
  }

  next(): Promise<IteratorResult<E>> {
    const event = this.#events.shift();
    if (this.#events.length < HIGH_WATER / 2) this.#release();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    if (this.#closed) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  return(): Promise<IteratorResult<E>> {
    this.#unsubscribe();
    this.#events.length = 0;
    this.close();
    return Promise.resolve({ value: undefined, done: true });
  }
}
