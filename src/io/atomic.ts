/**
 * Files that are either the old one or the new one, whole, whatever happens in between: the content goes to a temporary
 * name in the same folder, reaches the disk, and takes the place of the old file by a rename.
 */
import { randomBytes } from 'node:crypto';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AnnealError, reasonOf } from '../errors.js';

/** An open file, as far as `writeFileAtomic` needs one. */
export interface AtomicFile {
  /** Writes some of the bytes at the file's position and says how many. */
  write(bytes: Uint8Array): Promise<{ bytesWritten: number }>;
  /** Returns when the content is on the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The parts of a file system that `writeFileAtomic` uses; tests put a failing one in its place. */
export interface AtomicFileSystem {
  /** 'wx' creates a file that must not exist; 'r' opens a folder so that it can be synced. */
  open(path: string, flags: 'wx' | 'r'): Promise<AtomicFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
}

export const nodeFileSystem: AtomicFileSystem = { open, rename, unlink };

/** One write call takes no more than this, well below the 2 GiB that the system call allows. */
const maxWriteBytes = 64 * 1024 * 1024;

/**
 * Replaces `path` by the concatenation of `chunks` (text as UTF-8). On failure the old file is as it was and the
 * temporary file is gone. `before` runs when the content is on the disk, before it takes the old file's place.
 * @throws AnnealError E_IO with the system's reason; an error from the iteration of `chunks` passes through.
 */
export async function writeFileAtomic(
  path: string,
  chunks: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
  fs: AtomicFileSystem = nodeFileSystem,
  before?: () => Promise<void>,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`);
  const file = await system(path, () => fs.open(temporary, 'wx'));
  try {
    try {
      for await (const chunk of chunks) {
        await writeAll(path, file, typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
      }
      await system(path, () => file.sync());
    } catch (error) {
      await file.close().catch(() => undefined); // the first failure is the one to report
      throw error;
    }
    await system(path, () => file.close());
    await before?.();
    await system(path, () => fs.rename(temporary, path));
  } catch (error) {
    await fs.unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(path, fs);
}

/**
 * Renames so that the new name survives a power cut.
 * @throws AnnealError E_IO.
 */
export async function renameDurably(from: string, to: string, fs: AtomicFileSystem = nodeFileSystem): Promise<void> {
  await system(to, () => fs.rename(from, to));
  await syncFolder(to, fs);
}

async function writeAll(path: string, file: AtomicFile, bytes: Uint8Array): Promise<void> {
  let offset = 0;
  while (offset < bytes.length) {
    const slice = bytes.subarray(offset, offset + maxWriteBytes);
    const { bytesWritten } = await system(path, () => file.write(slice));
    if (bytesWritten === 0) throw new AnnealError('E_IO', `${path}: expected to write, the system wrote 0 bytes`);
    offset += bytesWritten;
  }
}

/** The rename itself is on the disk once its folder is. Windows has no such call, and needs none. */
async function syncFolder(path: string, fs: AtomicFileSystem): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await system(path, () => fs.open(dirname(path), 'r'));
  try {
    await system(path, () => folder.sync());
  } finally {
    await system(path, () => folder.close());
  }
}

async function system<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new AnnealError('E_IO', `${path}: could not be written (${reasonOf(cause)})`, { cause });
  }
}
