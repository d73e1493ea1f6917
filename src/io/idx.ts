/**
 * IDX, the format of the MNIST files: two zero bytes, a type byte, the number of dimensions, each dimension as a
 * big-endian u32, then the elements, row-major and big-endian. Nothing may follow them.
 * Reference: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "File formats".
 */
import { AnnealError } from '../errors.js';
import { gunzipIfNeeded, readBytes } from './read_bytes.js';

export type IdxDType = 'u8' | 'i8' | 'i16' | 'i32' | 'f32' | 'f64';

export type IdxArray = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

export interface IdxTensor {
  readonly data: IdxArray;
  readonly shape: readonly number[];
  readonly dtype: IdxDType;
}

interface IdxType {
  readonly dtype: IdxDType;
  readonly bytes: 1 | 2 | 4 | 8;
}

const types: ReadonlyMap<number, IdxType> = new Map<number, IdxType>([
  [0x08, { dtype: 'u8', bytes: 1 }],
  [0x09, { dtype: 'i8', bytes: 1 }],
  [0x0b, { dtype: 'i16', bytes: 2 }],
  [0x0c, { dtype: 'i32', bytes: 4 }],
  [0x0d, { dtype: 'f32', bytes: 4 }],
  [0x0e, { dtype: 'f64', bytes: 8 }],
]);

/**
 * Decodes one IDX file held in memory. `name` stands in error messages for the file. The result never shares memory
 * with `bytes`.
 * @throws AnnealError E_FORMAT on a wrong magic, an unknown type, missing or surplus bytes.
 */
export function decodeIdx(bytes: Uint8Array, name = 'idx buffer'): IdxTensor {
  const fail = (message: string): AnnealError => new AnnealError('E_FORMAT', `${name}: ${message}`);
  if (bytes.length < 4) throw fail(`expected an IDX header of at least 4 bytes, received ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0) !== 0) {
    throw fail(`expected the IDX magic 0000, received ${hex(view.getUint16(0), 4)}`);
  }
  const code = view.getUint8(2);
  const type = types.get(code);
  if (type === undefined) {
    throw fail(`expected an IDX type of 08, 09, 0b, 0c, 0d or 0e, received ${hex(code, 2)}`);
  }
  const rank = view.getUint8(3);
  if (rank === 0) throw fail('expected at least 1 dimension, received 0');
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes) {
    throw fail(`expected a header of ${headerBytes} bytes for ${rank} dimensions, received ${bytes.length} bytes`);
  }
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const dataBytes = shape.reduce((product, dimension) => product * dimension, type.bytes);
  const received = bytes.length - headerBytes;
  if (received !== dataBytes) {
    throw fail(
      `expected ${dataBytes} bytes of ${type.dtype} data for shape [${shape}], received ${received}` +
        (received < dataBytes ? ' (the file is cut short)' : ' (bytes follow the data)'),
    );
  }
  return { data: toHostOrder(new Uint8Array(bytes.subarray(headerBytes)), type), shape, dtype: type.dtype };
}

/**
 * Reads an IDX file, or decodes one in memory; gzip is recognised by its magic and undone.
 * @throws AnnealError E_IO when the file cannot be read, E_FORMAT as `decodeIdx`.
 */
export async function readIdx(source: string | Uint8Array): Promise<IdxTensor> {
  const name = typeof source === 'string' ? source : 'idx buffer';
  const bytes = typeof source === 'string' ? await readBytes(source) : source;
  return decodeIdx(await gunzipIfNeeded(bytes, name), name);
}

/** Swaps `bytes` in place and views them; they start a memory block of their own, so every alignment is right. */
function toHostOrder(bytes: Uint8Array, type: IdxType): IdxArray {
  const { buffer, byteOffset, byteLength } = bytes;
  const swapped = Buffer.from(buffer, byteOffset, byteLength);
  if (type.bytes === 2) swapped.swap16();
  else if (type.bytes === 4) swapped.swap32();
  else if (type.bytes === 8) swapped.swap64();
  const length = byteLength / type.bytes;
  switch (type.dtype) {
    case 'u8':
      return new Uint8Array(buffer, byteOffset, length);
    case 'i8':
      return new Int8Array(buffer, byteOffset, length);
    case 'i16':
      return new Int16Array(buffer, byteOffset, length);
    case 'i32':
      return new Int32Array(buffer, byteOffset, length);
    case 'f32':
      return new Float32Array(buffer, byteOffset, length);
    case 'f64':
      return new Float64Array(buffer, byteOffset, length);
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
