// Items made ahead of the one that is asked for, in their order and never more than a given number of them.

/** What `for await` asks for: the source's next item, its end, or its failure. */
type Outcome<T> = { readonly value: T } | { readonly failure: unknown } | 'end';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * The items of `source`, of which up to `count` are taken from it before they are asked for, one at a time. What it throws
 * comes after the items before it. Leaving the loop closes the source. With a signal, aborting ends the items at once, even
 * while the source does not answer: it is then closed as soon as it does.
 */
export class Ahead<T> implements AsyncIterableIterator<T> {
  readonly #source: Iterator<T> | AsyncIterator<T>;
  readonly #synchronous: boolean;
  readonly #count: number;
  readonly #signal: AbortSignal | undefined;
  readonly #ready: Outcome<T>[] = [];
  #taking: Promise<void> | null = null;
  /** The source has said its last: an end or a failure. */
  #exhausted = false;
  /** The consumer has been told, or has left. */
  #ended = false;
  #wake: (() => void) | null = null;
  readonly #onAbort = (): void => void this.#leave();

  constructor(source: Iterable<T> | AsyncIterable<T>, count: number, signal?: AbortSignal) {
    this.#synchronous = !(Symbol.asyncIterator in source);
    this.#source = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.#count = count;
    this.#signal = signal;
    if (signal?.aborted) this.#ended = true;
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Items that wait to be asked for. */
  get pending(): number {
    return this.#ready.length;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    this.#take();
    while (this.#ready.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const outcome = this.#ready.shift();
    if (outcome === undefined || outcome === 'end') {
      this.#end();
      return { value: undefined, done: true };
    }
    if ('failure' in outcome) {
      this.#end();
      throw outcome.failure;
    }
    this.#take();
    return { value: outcome.value, done: false };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    await this.#leave();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Takes items until as many are ready as there may be. */
  #take(): void {
    if (this.#taking !== null || this.#exhausted || this.#ended || this.#ready.length >= this.#count) return;
    this.#taking = this.#fill();
  }

  async #fill(): Promise<void> {
    try {
      while (!this.#ended && !this.#exhausted && this.#ready.length < this.#count) {
        const outcome = await this.#nextOutcome();
        if (this.#ended) return;
        this.#exhausted = outcome === 'end' || 'failure' in outcome;
        this.#ready.push(outcome);
        this.#wake?.();
        // A source that never waits would make all of them in one go.
        if (this.#synchronous) await turn();
      }
    } finally {
      this.#taking = null;
    }
  }

  async #nextOutcome(): Promise<Outcome<T>> {
    try {
      const item = await this.#source.next();
      return item.done ? 'end' : { value: item.value };
    } catch (failure) {
      return { failure };
    }
  }

  #end(): void {
    this.#ended = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  async #leave(): Promise<void> {
    if (this.#ended) return;
    this.#end();
    this.#ready.length = 0;
    this.#wake?.();
    if (this.#exhausted) return;
    const closed = (this.#taking ?? Promise.resolve()).then(() => this.#source.return?.());
    if (this.#signal?.aborted) closed.catch(() => undefined);
    else await closed;
  }
}
