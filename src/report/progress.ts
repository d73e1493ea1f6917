/**
 * What the user sees while a run trains: on a terminal a bar for the current epoch with the loss as a sparkline, above it a row
 * for each epoch that is done; elsewhere (a file, a pipe, CI) the same rows, and a plain line every few seconds in place of the bar.
 */
import { SingleBar } from 'cli-progress';
import type { Callback, EpochEvent, StepEvent } from '../train/index.js';
import { columnName, metricNames } from './epoch_table.js';
import { clock, duration, integer, metricValue, significant } from './format.js';
import { Sparkline } from './sparkline.js';
import { tableHead, tableRow } from './text_table.js';

export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

export interface ProgressOptions {
  /** Default process.stderr, so that standard output stays free for results. */
  readonly stream?: ProgressStream;
  /** Milliseconds between plain lines (default 5000). */
  readonly interval?: number;
  /** Milliseconds on a clock that never goes back; tests put theirs in its place. */
  readonly now?: () => number;
}

const defaultInterval = 5000;
const defaultColumns = 80;
const framesPerSecond = 8;
/** Characters of the bar: so many where the line has room for all else, too, and at least so many. */
const barColumns = { least: 8, most: 24 };
const sparkColumns = 12;
/** Weight of the past in the samples/s shown, by step. */
const rateDecay = 0.95;

interface Ranked {
  /** What goes first where there is no room for all has the largest. */
  readonly rank: number;
}

interface Column extends Ranked {
  readonly name: string;
  readonly cell: string;
}

/** Characters of a column of the table. */
const widthOf = (name: string): number => Math.max(name.length, 8);

/** What there is room for: of the largest rank the last goes first. */
function fitting<T extends Ranked>(all: readonly T[], fits: (parts: readonly T[]) => boolean): readonly T[] {
  const shown = [...all];
  while (shown.length > 0 && !fits(shown)) {
    const most = Math.max(...shown.map(({ rank }) => rank));
    shown.splice(
      shown.findLastIndex(({ rank }) => rank === most),
      1,
    );
  }
  return shown;
}

/**
 * Shows how a run goes on, on standard error: a bar for the epoch under way with the loss as a sparkline, and a row for each epoch
 * that is done. Where there is no terminal, a plain line now and then in place of the bar. Without `batchesPerEpoch` in the data
 * steps are counted, as there is no end to show.
 */
export function progress(options: ProgressOptions = {}): Callback {
  const shown = new TrainingProgress(options);
  return {
    name: 'progress',
    onStep: (event) => shown.step(event),
    onEpoch: (event) => shown.endEpoch(event),
    onWarning: ({ message }) => shown.message(`warning: ${message}`),
    onStop: () => shown.stop(),
  };
}

/** Holds a timer while the bar stands, so call `stop` (or use `using`) whichever way the run ends. */
export class TrainingProgress implements Disposable {
  private readonly stream: ProgressStream;
  private readonly now: () => number;
  private readonly spark = new Sparkline(sparkColumns);
  /** Of the table's columns, once its head is printed. */
  private names: readonly string[] | undefined;
  private bar: SingleBar | undefined;
  private epoch = -1;
  private last: StepEvent | undefined;
  private rate: number | undefined;
  private lastLine = Number.NEGATIVE_INFINITY;
  /** The first step seen and when: the pace is measured from there, for the first step also warms up. */
  private first: { readonly step: number; readonly time: number } | undefined;

  constructor(private readonly options: ProgressOptions = {}) {
    this.stream = options.stream ?? process.stderr;
    this.now = options.now ?? (() => performance.now());
  }

  /** A step is done. Cheap: text is made only when it is shown. */
  step(event: StepEvent): void {
    const time = this.now();
    this.first ??= { step: event.step, time };
    this.last = event;
    const rate = (event.size / event.ms) * 1000;
    if (Number.isFinite(rate)) this.rate = rateDecay * (this.rate ?? rate) + (1 - rateDecay) * rate;
    this.spark.add(event.metrics.loss ?? Number.NaN);
    if (event.epoch !== this.epoch) {
      this.clearBar();
      this.epoch = event.epoch;
      this.drawBar();
    }
    if (this.bar !== undefined) {
      this.bar.update(stepInEpoch(event));
    } else if (time - this.lastLine >= (this.options.interval ?? defaultInterval)) {
      this.lastLine = time;
      this.print(this.status());
    }
  }

  /** The epoch is done, validation included: its row joins the table. */
  endEpoch(event: EpochEvent): void {
    this.clearBar();
    const { epoch, epochs, metrics } = event;
    const columns: readonly Column[] = [
      { name: 'epoch', cell: `${epoch + 1}/${epochs}`, rank: 0 },
      // Validation counts most, then accuracy.
      ...metricNames([event]).map((name) => ({
        name: columnName(name),
        cell: metricValue(name, metrics[name]),
        rank: (name.includes('val_') ? 1 : 3) + (name.endsWith('accuracy') ? 0 : 1),
      })),
      { name: 'lr', cell: significant(event.lr), rank: 6 },
      { name: 'time', cell: duration(event.seconds), rank: 5 },
      { name: 'samples/s', cell: integer(event.samplesPerSecond), rank: 3 },
    ];
    if (this.names === undefined) {
      const width = this.stream.isTTY === true ? this.width() : Number.POSITIVE_INFINITY;
      const shown = fitting(columns, (some) => some.reduce((sum, { name }) => sum + widthOf(name) + 2, -2) <= width);
      this.names = shown.map(({ name }) => name);
      this.print(tableHead(this.names, this.names.map(widthOf)));
    }
    const cells = this.names.map(
      (name) => columns.find((column) => column.name === name)?.cell ?? metricValue(name, undefined),
    );
    this.print(tableRow(cells, this.names.map(widthOf)));
    this.lastLine = this.now();
  }

  /** Prints a line of its own; the bar moves below it. */
  message(text: string): void {
    const hadBar = this.bar !== undefined;
    this.clearBar();
    this.print(text);
    if (hadBar) this.drawBar();
  }

  /** Takes the bar away. Calling it twice does nothing. */
  stop(): void {
    this.clearBar();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  private drawBar(): void {
    const steps = this.last === undefined ? undefined : stepsPerEpoch(this.last);
    if (this.stream.isTTY !== true || process.env.TERM === 'dumb' || this.last === undefined || steps === undefined)
      return;
    this.bar = new SingleBar({
      stream: this.stream,
      format: (_options, { progress }) => this.status(progress),
      linewrap: true, // cut at the terminal's width, and leave its settings as they are
      clearOnComplete: true,
      fps: framesPerSecond,
    });
    this.bar.start(steps, stepInEpoch(this.last));
  }

  private clearBar(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private width(): number {
    return this.stream.columns ?? defaultColumns;
  }

  private print(text: string): void {
    this.stream.write(`${text}\n`);
  }

  /**
   * epoch 2/5 ━━━━━───  62%  12,345 samples/s  loss 0.1234 █▅▃▂▁  accuracy 97.10%  lr 0.09810  0:42 left, where a narrow terminal
   * has less. Without a share of the bar that is done it has no bar and no sparkline: a plain line.
   */
  private status(progress?: number): string {
    const { last } = this;
    if (last === undefined) return '';
    const steps = stepsPerEpoch(last);
    const share =
      steps === undefined ? `step ${last.step}` : `${Math.floor((100 * stepInEpoch(last)) / steps)}%`.padStart(4);
    const epoch = `epoch ${last.epoch + 1}/${last.epochs} `;
    const { loss, ...others } = last.metrics;
    const left = this.secondsLeft(last);
    const parts: readonly (Ranked & { readonly text: string })[] = [
      { text: this.rate === undefined ? '' : `${integer(this.rate)} samples/s`, rank: 3 },
      { text: loss === undefined ? '' : `loss ${significant(loss)}`, rank: 1 },
      { text: progress === undefined ? '' : this.spark.toString(), rank: 2 },
      ...Object.entries(others).map(([name, value], index) => ({
        text: `${columnName(name)} ${metricValue(name, value)}`,
        rank: 4 + index,
      })),
      { text: `lr ${significant(last.lr)}`, rank: 1000 },
      { text: left === undefined ? '' : `${clock(left)} left`, rank: 2 },
    ].filter(({ text }) => text !== '');
    const lineOf = (head: string, some: typeof parts): string => [head, ...some.map(({ text }) => text)].join('  ');
    if (progress === undefined) return lineOf(epoch + share, parts);
    const room = (some: typeof parts): number => this.width() - 2 - [...lineOf(epoch + share, some)].length;
    const shown = fitting(parts, (some) => room(some) >= barColumns.least);
    const size = Math.max(barColumns.least, Math.min(barColumns.most, room(shown)));
    const filled = Math.round(progress * size);
    const bar = `${'━'.repeat(filled)}${'─'.repeat(size - filled)}`;
    return lineOf(`${epoch}${bar} ${share}`, shown);
  }

  /** At the mean pace of this process so far, which takes in validation and checkpoints. */
  private secondsLeft({ step, totalSteps }: StepEvent): number | undefined {
    if (totalSteps === undefined || this.first === undefined || step <= this.first.step) return undefined;
    const pace = (this.now() - this.first.time) / 1000 / (step - this.first.step);
    return pace * Math.max(0, totalSteps - step);
  }
}

/** undefined where the data does not say. */
function stepsPerEpoch({ totalSteps, epochs }: StepEvent): number | undefined {
  return totalSteps === undefined ? undefined : totalSteps / epochs;
}

/** Steps done of the epoch. */
function stepInEpoch(event: StepEvent): number {
  return event.step - event.epoch * (stepsPerEpoch(event) ?? 0);
}
