/**
 * The log of a run: one JSON object a line, only ever appended to. A crash can tear the last line at most; the reader
 * leaves it out, and opening the log again cuts it off. NaN and infinities survive (as `stringifyJson` writes them).
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { AnnealError } from '../errors.js';
import { stringifyJson } from '../io/json.js';
import { reasonOf } from '../io/read_bytes.js';
import { type MetricsEvent, parseEvent } from './log_event.js';

export interface MetricsLogOptions {
  /**
   * The steps that the run has done when it is taken up: what the log has from its first event of a later step on was made by
   * steps that will be made again, and is cut off. 0 begins the log anew. Without it the log goes on where it ends.
   */
  readonly resumeAtStep?: number;
}

const newline = 0x0a;

export class MetricsLog {
  private pending: string[] = [];
  private writing: Promise<void> = Promise.resolve();
  private failure: AnnealError | undefined;
  private closed = false;

  private constructor(
    readonly path: string,
    private readonly file: FileHandle,
    private position: number,
  ) {}

  /**
   * Opens the log, or begins one.
   * @throws AnnealError E_IO when the file system refuses, E_FORMAT when the file is no log of a run.
   */
  static async open(path: string, { resumeAtStep }: MetricsLogOptions = {}): Promise<MetricsLog> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'a+');
      const end = endOfEvents(await file.readFile(), path, resumeAtStep);
      await file.truncate(end);
      return new MetricsLog(path, file, end);
    } catch (cause) {
      await file?.close().catch(() => undefined);
      throw cause instanceof AnnealError ? cause : failed(path, cause);
    }
  }

  /** Takes the event and returns at once; it is written soon, in order, together with others that came meanwhile. */
  append(event: MetricsEvent): void {
    if (this.closed) throw new AnnealError('E_DISPOSED', `${this.path}: expected an open log, it is closed`);
    this.pending.push(`${stringifyJson(event)}\n`);
    if (this.pending.length === 1) this.writing = this.writing.then(() => this.write());
  }

  /** Returns when all events so far are on the disk. @throws AnnealError E_IO when any of them could not be written. */
  async flush(): Promise<void> {
    await this.writing;
    if (this.failure === undefined) {
      await this.file.sync().catch((cause: unknown) => {
        this.failure = failed(this.path, cause);
      });
    }
    if (this.failure !== undefined) throw this.failure;
  }

  /** Flushes and closes; closing twice does nothing. @throws AnnealError E_IO as `flush`. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    try {
      await this.flush();
    } finally {
      await this.file.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async write(): Promise<void> {
    const bytes = Buffer.from(this.pending.join(''));
    this.pending = [];
    if (this.failure !== undefined) return; // later events after a hole would tell a wrong story
    try {
      await this.file.appendFile(bytes);
      this.position += bytes.length;
    } catch (cause) {
      this.failure = failed(this.path, cause);
      await this.file.truncate(this.position).catch(() => undefined); // whole lines only
    }
  }
}

/**
 * All events of a log; a torn last line is left out.
 * @throws AnnealError E_IO when it cannot be read, E_FORMAT naming the line that is no event.
 */
export async function readMetricsLog(path: string): Promise<MetricsEvent[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new AnnealError('E_IO', `${path}: expected the log of a run (${reasonOf(cause)})`, { cause });
  }
  return wholeLines(bytes, path).map(({ event }) => event);
}

interface Line {
  readonly event: MetricsEvent;
  /** The byte after its newline. */
  readonly end: number;
}

function wholeLines(bytes: Buffer, path: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    lines.push({ event: parseEvent(bytes.toString('utf8', start, end), `${path}:${lines.length + 1}`), end: end + 1 });
    start = end + 1;
  }
  return lines;
}

function endOfEvents(bytes: Buffer, path: string, resumeAtStep: number | undefined): number {
  const lines = wholeLines(bytes, path);
  if (resumeAtStep === 0) return 0; // also what stands before the first step, such as its start
  const later = lines.findIndex(({ event }) => resumeAtStep !== undefined && event.step > resumeAtStep);
  return (later < 0 ? lines : lines.slice(0, later)).at(-1)?.end ?? 0;
}

function failed(path: string, cause: unknown): AnnealError {
  return new AnnealError('E_IO', `${path}: the log could not be written (${reasonOf(cause)})`, { cause });
}
