/**
 * As much of ZIP as .npz needs: reading stored and deflated entries, writing stored ones; no encryption, no parts, and
 * no ZIP64 (so archives below 4 GiB with fewer than 65,535 entries).
 * Reference: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end).
 */
import { crc32, inflateRawSync } from 'node:zlib';
import { AnnealError, reasonOf } from '../errors.js';

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;
const localBytes = 30;
const centralBytes = 46;
const endBytes = 22;
const maxCommentBytes = 0xffff;
const maxU32 = 0xffffffff;
const maxEntries = 0xfffe;
/** MS-DOS date of 1980-01-01: equal content gives equal archives. */
const epochDate = 0x0021;
const utf8Flag = 0x0800;
const encryptedFlag = 0x0001;

/**
 * All entries in the order of the central directory. Stored entries share memory with `archive`.
 * @throws AnnealError E_FORMAT when the archive is cut short, garbled, encrypted, ZIP64, or a checksum is wrong.
 */
export function readZip(archive: Uint8Array, name = 'zip buffer'): ZipEntry[] {
  const fail = (message: string): AnnealError => new AnnealError('E_FORMAT', `${name}: ${message}`);
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const end = findEnd(view);
  if (end === undefined) throw fail('expected a ZIP archive, found no end of central directory');
  const count = view.getUint16(end + 10, true);
  const directoryBytes = view.getUint32(end + 12, true);
  let at = view.getUint32(end + 16, true);
  if (count === 0xffff || at === maxU32 || directoryBytes === maxU32) {
    throw fail('expected an archive below 4 GiB, received a ZIP64 one');
  }
  if (at + directoryBytes > end) throw fail('expected the central directory before its end (the archive is cut short)');

  const entries: ZipEntry[] = [];
  for (let index = 0; index < count; index += 1) {
    if (at + centralBytes > end || view.getUint32(at, true) !== centralSignature) {
      throw fail(`expected central directory entry ${index} at byte ${at}`);
    }
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const checksum = view.getUint32(at + 16, true);
    const packedBytes = view.getUint32(at + 20, true);
    const plainBytes = view.getUint32(at + 24, true);
    const nameBytes = view.getUint16(at + 28, true);
    const next = at + centralBytes + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    const local = view.getUint32(at + 42, true);
    if (next > end) throw fail(`expected central directory entry ${index} to end before byte ${end}`);
    const entry = Buffer.from(archive.subarray(at + centralBytes, at + centralBytes + nameBytes)).toString('utf8');
    if ((flags & encryptedFlag) !== 0) throw fail(`entry "${entry}": expected no encryption`);
    if (packedBytes === maxU32 || plainBytes === maxU32 || local === maxU32) {
      throw fail(`entry "${entry}": expected less than 4 GiB, received a ZIP64 entry`);
    }
    if (local + localBytes > archive.length || view.getUint32(local, true) !== localSignature) {
      throw fail(`entry "${entry}": expected a local header at byte ${local}`);
    }
    const start = local + localBytes + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (start + packedBytes > archive.length) {
      throw fail(`entry "${entry}": expected ${packedBytes} bytes at byte ${start} (the archive is cut short)`);
    }
    const bytes = unpack(archive.subarray(start, start + packedBytes), method, plainBytes, (message) =>
      fail(`entry "${entry}": ${message}`),
    );
    if (bytes.length !== plainBytes) {
      throw fail(`entry "${entry}": expected ${plainBytes} bytes, received ${bytes.length}`);
    }
    if (crc32(bytes) !== checksum) throw fail(`entry "${entry}": its CRC-32 does not match, the content is damaged`);
    entries.push({ name: entry, bytes });
    at = next;
  }
  return entries;
}

/**
 * An archive of stored entries, in pieces that share memory with them.
 * @throws AnnealError E_RANGE when it would need ZIP64.
 */
export function writeZip(entries: readonly { name: string; chunks: readonly Uint8Array[] }[]): Uint8Array[] {
  if (entries.length > maxEntries) {
    throw new AnnealError('E_RANGE', `zip: expected at most ${maxEntries} entries, received ${entries.length}`);
  }
  const out: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, chunks } of entries) {
    const nameBytes = Buffer.from(name);
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (offset + size >= maxU32) throw new AnnealError('E_RANGE', 'zip: expected an archive below 4 GiB');
    // zlib takes an empty chunk for a request to start over.
    const checksum = chunks.reduce((sum, chunk) => (chunk.length === 0 ? sum : crc32(chunk, sum)), 0);

    const local = Buffer.alloc(localBytes);
    local.writeUInt32LE(localSignature, 0);
    writeCommon(local, 4, checksum, size, nameBytes.length);
    out.push(local, nameBytes, ...chunks);

    const central = Buffer.alloc(centralBytes);
    central.writeUInt32LE(centralSignature, 0);
    central.writeUInt16LE(20, 4); // made by: version 2.0
    writeCommon(central, 6, checksum, size, nameBytes.length);
    central.writeUInt32LE(offset, 42);
    directory.push(central, nameBytes);

    offset += localBytes + nameBytes.length + size;
  }
  const directoryBytes = directory.reduce((sum, chunk) => sum + chunk.length, 0);
  if (offset + directoryBytes >= maxU32) throw new AnnealError('E_RANGE', 'zip: expected an archive below 4 GiB');
  const end = Buffer.alloc(endBytes);
  end.writeUInt32LE(endSignature, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directoryBytes, 12);
  end.writeUInt32LE(offset, 16);
  return [...out, ...directory, end];
}

/** The fields that a local header and a central entry have in common, in the same order. */
function writeCommon(target: Buffer, at: number, checksum: number, size: number, nameBytes: number): void {
  target.writeUInt16LE(20, at); // needed to extract: version 2.0
  target.writeUInt16LE(utf8Flag, at + 2);
  target.writeUInt16LE(0, at + 4); // method: stored
  target.writeUInt16LE(0, at + 6);
  target.writeUInt16LE(epochDate, at + 8);
  target.writeUInt32LE(checksum, at + 10);
  target.writeUInt32LE(size, at + 14);
  target.writeUInt32LE(size, at + 18);
  target.writeUInt16LE(nameBytes, at + 22);
}

/** The end record stands last, followed only by a comment of up to 65,535 bytes. */
function findEnd(view: DataView): number | undefined {
  const last = view.byteLength - endBytes;
  for (let at = last; at >= 0 && at >= last - maxCommentBytes; at -= 1) {
    if (
      view.getUint32(at, true) === endSignature &&
      at + endBytes + view.getUint16(at + 20, true) === view.byteLength
    ) {
      return at;
    }
  }
  return undefined;
}

function unpack(
  packed: Uint8Array,
  method: number,
  plainBytes: number,
  fail: (message: string) => AnnealError,
): Uint8Array {
  if (method === 0) return packed;
  if (method !== 8) throw fail(`expected method 0 (stored) or 8 (deflate), received ${method}`);
  try {
    // The limit keeps a small entry from unpacking to more than it says.
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, plainBytes) });
  } catch (cause) {
    throw fail(`expected a whole deflate stream (${reasonOf(cause)})`);
  }
}
