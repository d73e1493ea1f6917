import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AnnealError, reasonOf } from '../errors.js';

const inflate = promisify(gunzip);

/**
 * A whole file.
 * @throws AnnealError E_IO naming the path.
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new AnnealError('E_IO', `${path}: expected a readable file (${reasonOf(cause)})`, { cause });
  }
}

/** The gzip magic, 1f 8b, RFC 1952. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Undoes gzip where the bytes are gzip; gives them back as they are otherwise.
 * @throws AnnealError E_FORMAT when the gzip stream is broken or cut short.
 */
export async function gunzipIfNeeded(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  if (!isGzip(bytes)) return bytes;
  try {
    return await inflate(bytes);
  } catch (cause) {
    throw new AnnealError('E_FORMAT', `${name}: expected a whole gzip stream (${reasonOf(cause)})`, { cause });
  }
}
