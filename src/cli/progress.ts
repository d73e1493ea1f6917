/**
 * What the user sees while a run trains: on a terminal a bar for the current epoch, above it a row for each epoch that is
 * done; elsewhere (a file, a pipe, CI) the same rows, and a plain line every few seconds in place of the bar.
 */
import { SingleBar } from 'cli-progress';
import { clock, duration, integer, percent, significant } from '../report/format.js';
import type { EpochRecord, StepRecord } from '../report/run_report.js';
import { tableHead, tableRow } from '../report/text_table.js';

export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

export interface ProgressOptions {
  readonly epochs: number;
  /** undefined when the data does not say: there is then no bar and no time left. */
  readonly stepsPerEpoch: number | undefined;
  /** Whether the table has a column for the accuracy of the EMA parameters. */
  readonly ema?: boolean;
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
/** Characters that the text around the bar takes; the bar gets the rest of the line, within its limits. */
const textColumns = 88;
const barColumns = { least: 8, most: 32 };
/** Weight of the past in the images/s shown, by step. */
const rateDecay = 0.95;

/** Holds a timer while the bar stands, so call `stop` (or use `using`) whichever way the run ends. */
export class TrainingProgress implements Disposable {
  private readonly stream: ProgressStream;
  private readonly now: () => number;
  private readonly widths: readonly number[];
  private headerPrinted = false;
  private bar: SingleBar | undefined;
  private epoch = 1;
  private batch = 0;
  private record: StepRecord | undefined;
  private rate: number | undefined;
  private lastLine: number;
  /** The first step seen and when: the pace is measured from there, for the first step also warms up. */
  private first: { readonly step: number; readonly time: number } | undefined;

  constructor(private readonly options: ProgressOptions) {
    this.stream = options.stream ?? process.stderr;
    this.now = options.now ?? (() => performance.now());
    this.widths = columns(options.ema === true).map(({ name, width }) => Math.max(name.length, width));
    this.lastLine = this.now();
  }

  /** Epoch 1, 2, ... begins; `batch` of its steps are done already when the run is resumed within it. */
  startEpoch(epoch: number, batch = 0): void {
    this.clearBar();
    this.epoch = epoch;
    this.batch = batch;
    this.printHeader();
    this.drawBar();
  }

  /** A step is done, the `batch`-th of its epoch counted from 1. Cheap: text is made only when it is shown. */
  step(record: StepRecord, batch: number): void {
    const time = this.now();
    this.first ??= { step: record.step, time };
    this.record = record;
    this.batch = batch;
    const { imagesPerSecond } = record;
    if (imagesPerSecond !== undefined && Number.isFinite(imagesPerSecond)) {
      this.rate = rateDecay * (this.rate ?? imagesPerSecond) + (1 - rateDecay) * imagesPerSecond;
    }
    if (this.bar !== undefined) {
      this.bar.update(batch);
    } else if (time - this.lastLine >= (this.options.interval ?? defaultInterval)) {
      this.lastLine = time;
      this.print(this.status(''));
    }
  }

  /** The epoch is done, validation included: its row joins the table. */
  endEpoch(record: EpochRecord): void {
    this.clearBar();
    this.printHeader();
    const { ema = false, epochs } = this.options;
    const cells = columns(ema).map(({ cell }) => cell(record, epochs));
    this.print(tableRow(cells, this.widths));
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
    const { stepsPerEpoch } = this.options;
    if (this.stream.isTTY !== true || stepsPerEpoch === undefined) return;
    const { columns: width = defaultColumns } = this.stream;
    const size = Math.max(barColumns.least, Math.min(barColumns.most, width - textColumns));
    this.bar = new SingleBar({
      stream: this.stream,
      format: (_options, { progress }) => {
        const done = Math.round(progress * size);
        return this.status(`${'━'.repeat(done)}${'─'.repeat(size - done)} `);
      },
      linewrap: true, // cut at the terminal's width, and leave its settings as they are
      clearOnComplete: true,
      fps: framesPerSecond,
    });
    this.bar.start(stepsPerEpoch, this.batch);
  }

  private clearBar(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private printHeader(): void {
    if (this.headerPrinted) return;
    this.headerPrinted = true;
    const names = columns(this.options.ema === true).map(({ name }) => name);
    this.print(tableHead(names, this.widths));
  }

  private print(text: string): void {
    this.stream.write(`${text}\n`);
  }

  /** epoch 2/5 ━━━━━───  62%  12,345 images/s  loss 0.1234  accuracy 97.10%  lr 0.09810  0:42 left */
  private status(bar: string): string {
    const { epochs, stepsPerEpoch } = this.options;
    const share = (steps: number): string => `${Math.floor((100 * this.batch) / steps)}%`.padStart(4);
    const done = stepsPerEpoch === undefined ? `step ${this.batch}` : share(stepsPerEpoch);
    const parts = [`epoch ${this.epoch}/${epochs} ${bar}${done}`];
    if (this.rate !== undefined) parts.push(`${integer(this.rate)} images/s`);
    if (this.record !== undefined) {
      const { loss, accuracy, lr } = this.record;
      parts.push(`loss ${significant(loss)}`);
      if (accuracy !== undefined) parts.push(`accuracy ${percent(accuracy)}`);
      parts.push(`lr ${significant(lr)}`);
      const left = this.secondsLeft(this.record.step);
      if (left !== undefined) parts.push(`${clock(left)} left`);
    }
    return parts.join('  ');
  }

  /** At the mean pace of this process so far, which takes in validation and checkpoints. */
  private secondsLeft(step: number): number | undefined {
    const { epochs, stepsPerEpoch } = this.options;
    if (stepsPerEpoch === undefined || this.first === undefined || step <= this.first.step) return undefined;
    const pace = (this.now() - this.first.time) / 1000 / (step - this.first.step);
    return pace * Math.max(0, epochs * stepsPerEpoch - step);
  }
}

interface Column {
  readonly name: string;
  readonly width: number;
  readonly cell: (record: EpochRecord, epochs: number) => string;
}

const epochColumns: readonly Column[] = [
  { name: 'epoch', width: 7, cell: ({ epoch }, epochs) => `${epoch}/${epochs}` },
  { name: 'loss', width: 8, cell: ({ loss }) => significant(loss) },
  { name: 'accuracy', width: 8, cell: ({ accuracy }) => percent(accuracy) },
  { name: 'val loss', width: 8, cell: ({ valLoss }) => significant(valLoss) },
  { name: 'val accuracy', width: 12, cell: ({ valAccuracy }) => percent(valAccuracy) },
  { name: 'ema accuracy', width: 12, cell: ({ emaValAccuracy = Number.NaN }) => percent(emaValAccuracy) },
  { name: 'lr', width: 8, cell: ({ lr }) => significant(lr) },
  { name: 'time', width: 7, cell: ({ seconds }) => duration(seconds) },
  { name: 'images/s', width: 8, cell: ({ imagesPerSecond }) => integer(imagesPerSecond) },
];

function columns(ema: boolean): readonly Column[] {
  return ema ? epochColumns : epochColumns.filter(({ name }) => name !== 'ema accuracy');
}
