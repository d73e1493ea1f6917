/**
 * safetensors: a u64 little-endian header length, a JSON header { name: { dtype, shape, data_offsets } }, then one
 * block of little-endian row-major data which the tensors fill without gap or overlap. The header's length is at most
 * 100 MB, and may include trailing spaces (the writer pads it so that the data starts on a multiple of 8 bytes).
 * Reference: huggingface/safetensors, README, section "Format".
 */
import { AnnealError, reasonOf } from '../errors.js';
import { type DType, itemBytes } from '../tensor/dtype.js';
import { sizeOf } from '../tensor/shape.js';
import { writeFileAtomic } from './atomic.js';
import { arrayFromBytes, bytesOf, checkHostTensor, type HostTensor } from './host_tensor.js';
import { readBytes } from './read_bytes.js';

export interface SafetensorsFile {
  readonly tensors: Record<string, HostTensor>;
  /** The header's `__metadata__`; empty when it has none. */
  readonly metadata: Record<string, string>;
}

const maxHeaderBytes = 100_000_000;
const metadataKey = '__metadata__';

const formatNames: Record<DType, string> = { f32: 'F32', f16: 'F16', i32: 'I32', u8: 'U8' };
const hostTypes: ReadonlyMap<string, DType> = new Map<string, DType>([
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['I32', 'i32'],
  ['U8', 'u8'],
]);

type Described = Pick<HostTensor, 'dtype' | 'shape'>;

/**
 * The header of a file, and the tensors in the order in which their data follows it: wider types first, so that every tensor is
 * aligned to its element size; otherwise the order of the record.
 * @throws AnnealError E_ARGUMENT for a name that cannot be stored, E_RANGE for a header that is too long.
 */
export function safetensorsLayout<T extends Described>(
  tensors: Readonly<Record<string, T>>,
  metadata: Readonly<Record<string, string>> = {},
): { readonly head: Uint8Array; readonly entries: readonly (readonly [string, T])[] } {
  const entries = Object.entries(tensors);
  entries.sort(([, a], [, b]) => itemBytes(b.dtype) - itemBytes(a.dtype));
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push([metadataKey, metadata]);
  let offset = 0;
  for (const [name, { dtype, shape }] of entries) {
    if (name === metadataKey)
      throw new AnnealError('E_ARGUMENT', `safetensors: a tensor cannot be named ${metadataKey}`);
    const end = offset + sizeOf(shape) * itemBytes(dtype);
    header.push([name, { dtype: formatNames[dtype], shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  if (headerBytes > maxHeaderBytes) {
    throw new AnnealError(
      'E_RANGE',
      `safetensors: expected a header of at most ${maxHeaderBytes} bytes, received ${headerBytes}`,
    );
  }
  const head = Buffer.alloc(8 + headerBytes, ' ');
  head.writeBigUInt64LE(BigInt(headerBytes), 0);
  json.copy(head, 8);
  return { head: new Uint8Array(head), entries };
}

/**
 * The file's content in pieces that share memory with the tensors, all but f16: [header, data, data, ...].
 * @throws AnnealError E_DTYPE or E_SHAPE when a tensor is not consistent, else as `safetensorsLayout`.
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, HostTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  for (const [name, tensor] of Object.entries(tensors)) checkHostTensor(tensor, `safetensors: tensor "${name}"`);
  const { head, entries } = safetensorsLayout(tensors, metadata);
  return [head, ...entries.map(([, tensor]) => bytesOf(tensor))];
}

/**
 * Decodes a file held in memory; the tensors are copies.
 * @throws AnnealError E_FORMAT when the file is cut short, garbled, or has gaps or overlaps; E_DTYPE when a tensor's
 *   element type is not F32, F16, I32 or U8.
 */
export function decodeSafetensors(bytes: Uint8Array, name = 'safetensors buffer'): SafetensorsFile {
  const fail = (message: string): AnnealError => new AnnealError('E_FORMAT', `${name}: ${message}`);
  const { header, data } = splitHeader(bytes, fail);

  const metadata: [string, string][] = [];
  const entries: { tensor: string; dtype: DType; shape: number[]; begin: number; end: number }[] = [];
  for (const [key, value] of Object.entries(header)) {
    if (!isObject(value)) throw fail(`expected an object for "${key}" in the header, received ${describe(value)}`);
    if (key === metadataKey) {
      for (const [field, text] of Object.entries(value)) {
        if (typeof text !== 'string') {
          throw fail(`expected a string for "${field}" of ${metadataKey}, received ${describe(text)}`);
        }
        metadata.push([field, text]);
      }
      continue;
    }
    entries.push({ tensor: key, ...decodeEntry(key, value, data.length, name) });
  }

  const byOffset = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { tensor, begin, end } of byOffset) {
    if (begin !== covered) {
      const problem = begin < covered ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw fail(`expected tensor "${tensor}" to start at byte ${covered}, received ${begin} (${problem})`);
    }
    covered = end;
  }
  if (covered !== data.length) {
    throw fail(`expected ${covered} bytes of data for the header's tensors, received ${data.length}`);
  }

  return {
    tensors: Object.fromEntries(
      entries.map(({ tensor, dtype, shape, begin, end }) => [
        tensor,
        { data: arrayFromBytes(dtype, data.subarray(begin, end)), shape, dtype },
      ]),
    ),
    metadata: Object.fromEntries(metadata),
  };
}

/** Reads a file. @throws AnnealError E_IO when it cannot be read, else as `decodeSafetensors`. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  return decodeSafetensors(await readBytes(path), path);
}

/** Writes a file atomically. @throws AnnealError E_IO, else as `encodeSafetensors`. */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, HostTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, encodeSafetensors(tensors, metadata));
}

function splitHeader(
  bytes: Uint8Array,
  fail: (message: string) => AnnealError,
): { header: Record<string, unknown>; data: Uint8Array } {
  if (bytes.length < 8) throw fail(`expected a header length of 8 bytes, received a file of ${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw fail(`expected a header of at most ${maxHeaderBytes} bytes, received a length of ${length}`);
  }
  const headerEnd = 8 + Number(length);
  if (headerEnd > bytes.length) {
    throw fail(`expected a header of ${length} bytes, received a file of ${bytes.length} bytes (it is cut short)`);
  }
  if (bytes[8] !== 0x7b) throw fail('expected the header to start with "{"');
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, headerEnd)));
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new AnnealError('E_FORMAT', fail(`expected the header to be JSON in UTF-8 (${reason})`).message, { cause });
  }
  if (!isObject(header)) throw fail(`expected the header to be an object, received ${describe(header)}`);
  return { header, data: bytes.subarray(headerEnd) };
}

function decodeEntry(
  key: string,
  entry: Record<string, unknown>,
  dataBytes: number,
  name: string,
): { dtype: DType; shape: number[]; begin: number; end: number } {
  const who = `${name}: tensor "${key}"`;
  const fail = (message: string): AnnealError => new AnnealError('E_FORMAT', `${who}: ${message}`);
  const { dtype: formatName, shape, data_offsets: offsets } = entry;
  if (typeof formatName !== 'string') throw fail(`expected dtype to be a string, received ${describe(formatName)}`);
  const dtype = hostTypes.get(formatName);
  if (dtype === undefined) {
    throw new AnnealError('E_DTYPE', `${who}: expected dtype F32, F16, I32 or U8, received ${formatName}`);
  }
  if (!isIndexList(shape)) throw fail(`expected shape to be a list of whole numbers >= 0, received ${describe(shape)}`);
  if (!isIndexList(offsets) || offsets.length !== 2) {
    throw fail(`expected data_offsets to be [begin, end], received ${describe(offsets)}`);
  }
  const [begin = 0, end = 0] = offsets;
  if (begin > end || end > dataBytes) {
    throw fail(`expected data_offsets within the ${dataBytes} bytes of data, received [${begin}, ${end}]`);
  }
  const expected = sizeOf(shape) * itemBytes(dtype);
  if (end - begin !== expected) {
    throw fail(`expected ${expected} bytes for ${formatName} [${shape}], received ${end - begin}`);
  }
  return { dtype, shape, begin, end };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isIndexList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
