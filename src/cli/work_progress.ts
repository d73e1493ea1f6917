/** What the user sees while the benchmark runs: a bar on a terminal, elsewhere a plain line every few seconds. */
import { SingleBar } from 'cli-progress';
import type { BenchProgress } from '../bench/run.js';
import { clock } from '../report/format.js';
import type { ProgressStream } from '../report/progress.js';

export interface WorkProgressOptions {
  /** Default process.stderr, so that standard output stays free for results. */
  readonly stream?: ProgressStream;
  /** Milliseconds between plain lines (default 10,000). */
  readonly interval?: number;
  /** Milliseconds on a clock that never goes back; tests put theirs in its place. */
  readonly now?: () => number;
}

const defaultInterval = 10_000;
const barColumns = 24;

/** Holds a timer while the bar stands, so call `stop` (or use `using`) whichever way the run ends. */
export class WorkProgress implements Disposable {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  readonly #interval: number;
  readonly #start: number;
  #bar: SingleBar | undefined;
  #state: BenchProgress | undefined;
  #lastLine: number;

  constructor({ stream = process.stderr, interval = defaultInterval, now }: WorkProgressOptions = {}) {
    this.#stream = stream;
    this.#now = now ?? (() => performance.now());
    this.#interval = interval;
    this.#start = this.#now();
    this.#lastLine = this.#start;
  }

  show(state: BenchProgress): void {
    this.#state = state;
    if (this.#stream.isTTY) {
      this.#bar ??= this.#begin(state);
      this.#bar.update(state.done);
    } else if (this.#now() - this.#lastLine >= this.#interval) {
      this.#lastLine = this.#now();
      this.#stream.write(`${this.#text('')}\n`);
    }
  }

  /** Takes the bar away. Calling it twice does nothing. */
  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #begin({ done, total }: BenchProgress): SingleBar {
    const bar = new SingleBar({
      stream: this.#stream,
      format: (_options, { progress }) => {
        const filled = Math.round(progress * barColumns);
        return this.#text(`${'━'.repeat(filled)}${'─'.repeat(barColumns - filled)} `);
      },
      linewrap: true,
      clearOnComplete: true,
      fps: 8,
    });
    bar.start(total, done);
    return bar;
  }

  /** bench ━━━───  12/72  0:31  sgemm_nn_512 */
  #text(bar: string): string {
    if (this.#state === undefined) return '';
    const { done, total, doing } = this.#state;
    return `bench ${bar}${done}/${total}  ${clock((this.#now() - this.#start) / 1e3)}  ${doing}`;
  }
}
