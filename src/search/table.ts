// The live table of a search: a row for each trial that has ended, and on a terminal a line of what is under way below them.
import { clock, duration, significant } from '../report/format.js';
import { tableHead, tableRow } from '../report/text_table.js';
import type { TrialRecord } from './trial.js';

export type TableStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

const WIDTH = 9;

/** A parameter's value for people. */
export function shown(value: unknown): string {
  if (value === undefined) return '–';
  return typeof value === 'number' && !Number.isInteger(value) ? significant(value) : String(value);
}

export class SearchTable implements Disposable {
  readonly #stream: TableStream;
  readonly #names: readonly string[];
  readonly #count: number;
  readonly #widths: readonly number[];
  readonly #started = performance.now();
  readonly #running = new Set<number>();
  #best = '';
  #done = 0;
  /** Trials that ended under our eyes. */
  #seen = 0;
  #line = false;

  constructor(stream: TableStream, names: readonly string[], count: number) {
    this.#stream = stream;
    this.#names = names;
    this.#count = count;
    this.#widths = [5, 8, WIDTH, ...names.map((name) => Math.max(name.length, WIDTH)), 7];
  }

  /** The head, and how many trials a log has of before. */
  begin(done: number, best: TrialRecord | null): void {
    this.#note(best);
    this.#done = done;
    this.#print(tableHead(['trial', 'state', 'value', ...this.#names, 'time'], this.#widths));
    if (done > 0) this.#print(`${done} of ${this.#count} trials are in the log`);
  }

  began(number: number): void {
    this.#running.add(number);
    this.#status();
  }

  ended(trial: TrialRecord, best: TrialRecord | null): void {
    this.#running.delete(trial.number);
    this.#done++;
    this.#seen++;
    this.#note(best);
    const mark = trial.number === best?.number ? `${trial.number}*` : String(trial.number);
    const parameters: Readonly<Record<string, unknown>> = trial.parameters;
    this.#print(
      tableRow(
        [
          mark,
          trial.state,
          trial.value === null ? '–' : significant(trial.value),
          ...this.#names.map((name) => shown(parameters[name])),
          duration(trial.seconds),
        ],
        this.#widths,
      ),
    );
    // Of a stack the first line says what; the log has all of it.
    if (trial.error !== null) this.#print(`      ${trial.error.split('\n')[0] ?? ''}`);
    this.#status();
  }

  #note(best: TrialRecord | null): void {
    this.#best = best?.value == null ? '' : `, best ${significant(best.value)} (trial ${best.number})`;
  }

  #print(text: string): void {
    this.#clear();
    this.#stream.write(`${text}\n`);
  }

  #clear(): void {
    if (this.#line) this.#stream.write('\r\u001b[2K');
    this.#line = false;
  }

  #status(): void {
    if (!this.#stream.isTTY) return;
    this.#clear();
    const seconds = (performance.now() - this.#started) / 1e3;
    const left = this.#seen === 0 ? '' : `, about ${clock((seconds / this.#seen) * (this.#count - this.#done))} left`;
    const text = `${this.#done}/${this.#count} trials, ${this.#running.size} running${this.#best}, ${clock(seconds)}${left}`;
    this.#stream.write(text.slice(0, (this.#stream.columns ?? 80) - 1));
    this.#line = true;
  }

  [Symbol.dispose](): void {
    this.#clear();
  }
}
