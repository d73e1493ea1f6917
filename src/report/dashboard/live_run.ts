/** A run that may still go on: its log is read as it grows. */
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AnnealError, reasonOf } from '../../errors.js';
import type { StopRecord } from '../log_event.js';
import { wholeLines } from '../metrics_log.js';
import { configFile, isMissing, metricsFile, parseDescription, type RunDescription } from '../run.js';
import { SeriesTable } from '../series.js';

const chunkBytes = 4 << 20;
/** Bytes before the place that is reached, by which a log that was cut and grew again is told. */
const tailBytes = 256;
/** No file that is followed somewhere else is opened, and none that blocks. */
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export class LiveRun {
  description: RunDescription;
  series = new SeriesTable();
  /** Its first step that has a value; 0 while there is none. */
  from = 0;
  steps = 0;
  epochs = 0;
  warnings = 0;
  /** Milliseconds since 1970 of its first start and of its log's last change. */
  started = 0;
  changed = 0;
  stop: StopRecord | null = null;
  /** Counts what was read. */
  version = 0;
  private position = 0;
  private lines = 0;
  private tail: Buffer = Buffer.alloc(0);
  /** What is wrong with each of its files, until it changes. */
  private readonly errors = new Map<string, string>();
  private seen = '';
  private configSeen = '';

  /** @param id its folder, from that of all runs */
  constructor(
    readonly id: string,
    private readonly folder: string,
  ) {
    this.description = { title: id, config: {} };
  }

  /** Takes in what its files have got since the last time. Says whether there was anything. */
  async refresh(): Promise<boolean> {
    const before = this.version;
    await this.attempt(configFile, () => this.readConfig());
    await this.attempt(metricsFile, () => this.readLog());
    return this.version !== before;
  }

  /** What goes wrong with its files; reading goes on once they change. */
  get error(): string | null {
    return this.errors.size > 0 ? [...this.errors.values()].join('; ') : null;
  }

  private async attempt(file: string, read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      const reason = error instanceof AnnealError ? error.message : reasonOf(error);
      if (reason !== this.errors.get(file)) this.version += 1;
      this.errors.set(file, reason);
    }
  }

  private async readConfig(): Promise<void> {
    const path = join(this.folder, configFile);
    let file: FileHandle;
    try {
      file = await open(path, flags);
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.errors.delete(configFile);
      return;
    }
    try {
      const { size, mtimeMs } = await file.stat();
      const seen = `${size} ${mtimeMs}`;
      if (seen === this.configSeen) return;
      this.configSeen = seen;
      this.errors.delete(configFile);
      this.description = parseDescription(await readFile(file, 'utf8'), `${this.id}/${configFile}`);
      this.version += 1;
    } finally {
      await file.close();
    }
  }

  private async readLog(): Promise<void> {
    const path = join(this.folder, metricsFile);
    const { size, mtimeMs, ino } = await stat(path);
    const seen = `${size} ${mtimeMs} ${ino}`;
    if (seen === this.seen) return;
    this.seen = seen;
    this.changed = mtimeMs;
    const file = await open(path, flags);
    try {
      if (!(await this.goesOn(file, size))) this.forget();
      this.errors.delete(metricsFile);
      this.version += 1;
      while (await this.readChunk(file));
    } finally {
      await file.close();
    }
  }

  /** Whether the file still begins with what was read of it. */
  private async goesOn(file: FileHandle, size: number): Promise<boolean> {
    if (size < this.position) return false;
    if (this.tail.length === 0) return true;
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(this.tail.length),
      position: this.position - this.tail.length,
    });
    return buffer.subarray(0, bytesRead).equals(this.tail);
  }

  private forget(): void {
    this.series = new SeriesTable();
    this.from = this.steps = this.epochs = this.warnings = this.started = this.position = this.lines = 0;
    this.tail = Buffer.alloc(0);
    this.stop = null;
  }

  /** Reads lines that are whole. Says whether there may be more of them. */
  private async readChunk(file: FileHandle): Promise<boolean> {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(chunkBytes), position: this.position });
    const bytes = buffer.subarray(0, bytesRead);
    const lines = wholeLines(bytes, `${this.id}/${metricsFile}`, this.lines + 1);
    for (const { event } of lines) {
      this.series.add(event);
      if (event.type === 'step' || event.type === 'epoch') this.from ||= event.step;
      this.steps = Math.max(this.steps, event.step);
      if (event.type === 'epoch') this.epochs = event.epoch;
      if (event.type === 'warning') this.warnings += 1;
      if (event.type === 'start') this.started ||= event.time;
      this.stop = event.type === 'stop' ? event : null;
    }
    const end = lines.at(-1)?.end ?? 0;
    this.lines += lines.length;
    this.position += end;
    this.tail = Buffer.from(Buffer.concat([this.tail, bytes.subarray(0, end)]).subarray(-tailBytes));
    return end > 0 && bytesRead === chunkBytes;
  }
}
