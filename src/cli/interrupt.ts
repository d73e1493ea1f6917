// Ctrl-C as a signal that work can end by.

/** Shell convention: 128 + SIGINT. */
export const INTERRUPTED = 130;

/** Until it is disposed, the first Ctrl-C aborts `signal`; a second one ends the process at once, as without this. */
export class Interrupt implements Disposable {
  readonly #controller = new AbortController();
  readonly #onInterrupt = (): void => {
    this[Symbol.dispose]();
    this.#controller.abort();
  };

  constructor() {
    process.on('SIGINT', this.#onInterrupt);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    process.off('SIGINT', this.#onInterrupt);
  }
}
