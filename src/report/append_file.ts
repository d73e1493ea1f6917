/** Files that are only ever appended to: pieces are written soon, in order, and whole or not at all. */
import { type FileHandle, open } from 'node:fs/promises';
import { AnnealError, reasonOf } from '../errors.js';

export class AppendFile {
  private pending: Buffer[] = [];
  private writing: Promise<void> = Promise.resolve();
  private failure: AnnealError | undefined;
  private closed = false;

  private constructor(
    readonly path: string,
    private readonly file: FileHandle,
    private position: number,
  ) {}

  /**
   * Opens the file, or makes it.
   * @param endOf the bytes that are kept of the content; what it throws passes through, and the file stays as it is
   * @throws AnnealError E_IO when the file system refuses.
   */
  static async open(path: string, endOf: (content: Buffer) => number): Promise<AppendFile> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'a+');
      const end = endOf(await file.readFile());
      await file.truncate(end);
      return new AppendFile(path, file, end);
    } catch (cause) {
      await file?.close().catch(() => undefined);
      throw cause instanceof AnnealError ? cause : failed(path, cause);
    }
  }

  /** Makes a file that must not be there. @throws AnnealError E_IO; its cause has code EEXIST where there is one. */
  static async create(path: string): Promise<AppendFile> {
    try {
      return new AppendFile(path, await open(path, 'ax'), 0);
    } catch (cause) {
      throw failed(path, cause);
    }
  }

  /** Takes a piece and returns at once; it is written together with others that came meanwhile. @throws E_DISPOSED */
  append(piece: string | Uint8Array): void {
    if (this.closed) throw new AnnealError('E_DISPOSED', `${this.path}: expected an open log, it is closed`);
    this.pending.push(Buffer.from(piece));
    if (this.pending.length === 1) this.writing = this.writing.then(() => this.write());
  }

  /** Returns when all pieces so far are on the disk. @throws AnnealError E_IO when any of them could not be written. */
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

  private async write(): Promise<void> {
    const bytes = Buffer.concat(this.pending);
    this.pending = [];
    if (this.failure !== undefined) return; // later pieces after a hole would tell a wrong story
    try {
      await this.file.appendFile(bytes);
      this.position += bytes.length;
    } catch (cause) {
      this.failure = failed(this.path, cause);
      await this.file.truncate(this.position).catch(() => undefined); // whole pieces only
    }
  }
}

/** A log of records that are whole, over an `AppendFile`. */
export abstract class RecordLog implements AsyncDisposable {
  protected constructor(protected readonly file: AppendFile) {}

  get path(): string {
    return this.file.path;
  }

  /** Returns when all records so far are on the disk. @throws AnnealError E_IO when any of them could not be written. */
  flush(): Promise<void> {
    return this.file.flush();
  }

  /** Flushes and closes; closing twice does nothing. @throws AnnealError E_IO as `flush`. */
  close(): Promise<void> {
    return this.file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function failed(path: string, cause: unknown): AnnealError {
  return new AnnealError('E_IO', `${path}: could not be written (${reasonOf(cause)})`, { cause });
}
