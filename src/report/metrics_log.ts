/**
 * The log of a run: one JSON object a line, only ever appended to. A crash can tear the last line at most; the reader
 * leaves it out, and opening the log again cuts it off. NaN and infinities survive (as `stringifyJson` writes them).
 */
import { readFile } from 'node:fs/promises';
import { AnnealError, reasonOf } from '../errors.js';
import { stringifyJson } from '../io/json.js';
import { AppendFile, RecordLog } from './append_file.js';
import { type MetricsEvent, parseEvent } from './log_event.js';

export interface MetricsLogOptions {
  /**
   * The steps that the run has done when it is taken up: what the log has from its first event of a later step on was made by
   * steps that will be made again, and is cut off. 0 begins the log anew. Without it the log goes on where it ends.
   */
  readonly resumeAtStep?: number;
}

export class MetricsLog extends RecordLog {
  /**
   * Opens the log, or begins one.
   * @throws AnnealError E_IO when the file system refuses, E_FORMAT when the file is no log of a run.
   */
  static async open(path: string, { resumeAtStep }: MetricsLogOptions = {}): Promise<MetricsLog> {
    return new MetricsLog(await AppendFile.open(path, (content) => endOfEvents(content, path, resumeAtStep)));
  }

  /** Takes the event and returns at once; it is written soon, in order, together with others that came meanwhile. */
  append(event: MetricsEvent): void {
    this.file.append(`${stringifyJson(event)}\n`);
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

const newline = 0x0a;

/** The events of lines that are whole. @param first the number of the first line, for errors */
export function wholeLines(bytes: Buffer, path: string, first = 1): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    const where = `${path}:${lines.length + first}`;
    lines.push({ event: parseEvent(bytes.toString('utf8', start, end), where), end: end + 1 });
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
