/**
 * NumPy's .npy and .npz. A .npy file is the magic \x93NUMPY, a version, a header (a Python dict with the keys descr,
 * fortran_order and shape) padded with spaces to a multiple of 64 bytes, then the elements. A .npz is a ZIP of them.
 * Reference: numpy.lib.format, "Format Version 1.0" to "3.0".
 */
import { AnnealError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { widen } from '../tensor/half.js';
import { sizeOf } from '../tensor/shape.js';
import { writeFileAtomic } from './atomic.js';
import { allocateHostArray, arrayFromBytes, bytesOf, checkHostTensor, type HostTensor } from './host_tensor.js';
import { readBytes } from './read_bytes.js';
import { readZip, writeZip } from './zip.js';

export interface NpyOptions {
  /** Also take float64 (rounded to f32) and int64 (E_RANGE beyond i32). Without it they are refused. */
  readonly convert?: boolean;
}

interface Descr {
  readonly kind: 'f' | 'i' | 'u' | 'b';
  readonly bytes: 1 | 2 | 4 | 8;
  readonly dtype: DType;
  readonly converts: boolean;
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const alignment = 64;
const descrOut: Record<DType, string> = { f32: '<f4', f16: '<f2', i32: '<i4', u8: '|u1' };
const descrIn: ReadonlyMap<string, Descr> = new Map<string, Descr>([
  ['f4', { kind: 'f', bytes: 4, dtype: 'f32', converts: false }],
  ['f2', { kind: 'f', bytes: 2, dtype: 'f16', converts: false }],
  ['i4', { kind: 'i', bytes: 4, dtype: 'i32', converts: false }],
  ['u1', { kind: 'u', bytes: 1, dtype: 'u8', converts: false }],
  ['b1', { kind: 'b', bytes: 1, dtype: 'u8', converts: false }],
  ['f8', { kind: 'f', bytes: 8, dtype: 'f32', converts: true }],
  ['i8', { kind: 'i', bytes: 8, dtype: 'i32', converts: true }],
]);

/**
 * Decodes one .npy file held in memory into a copy: float32, float16, int32, uint8 and bool (as u8), little or big-endian, C or
 * Fortran order (the result is always row-major).
 * @throws AnnealError E_FORMAT when it is cut short or garbled, E_DTYPE for another element type, E_RANGE when an int64
 *   does not fit i32.
 */
export function decodeNpy(bytes: Uint8Array, options: NpyOptions = {}, name = 'npy buffer'): HostTensor {
  const fail = (message: string): AnnealError => new AnnealError('E_FORMAT', `${name}: ${message}`);
  if (magic.some((byte, index) => bytes[index] !== byte)) throw fail('expected the magic \\x93NUMPY');
  if (bytes.length < 12) throw fail(`expected a header, received ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = view.getUint8(6);
  if (major < 1 || major > 3) throw fail(`expected format version 1, 2 or 3, received ${major}`);
  const headerStart = major === 1 ? 10 : 12;
  const dataStart = headerStart + (major === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (dataStart > bytes.length) {
    throw fail(`expected ${dataStart} bytes of header, received ${bytes.length} bytes (the file is cut short)`);
  }
  const { descr, fortranOrder, shape } = parseHeader(
    Buffer.from(bytes.subarray(headerStart, dataStart)).toString(),
    fail,
  );
  const type = descrIn.get(descr.slice(1));
  if (type === undefined || (type.converts && options.convert !== true)) {
    const fix = type === undefined ? '' : '; save it as float32 or int32, or pass { convert: true }';
    throw new AnnealError(
      'E_DTYPE',
      `${name}: expected float32, float16, int32, uint8 or bool, received ${descr}${fix}`,
    );
  }
  const count = sizeOf(shape);
  const received = bytes.length - dataStart;
  if (!Number.isSafeInteger(count) || received !== count * type.bytes) {
    throw fail(`expected ${count * type.bytes} bytes of data for ${descr} [${shape}], received ${received}`);
  }
  const littleEndian = descr[0] !== '>';
  const columnMajor = fortranOrder && shape.length > 1;
  if (littleEndian && !columnMajor && !type.converts)
    return { data: arrayFromBytes(type.dtype, bytes.subarray(dataStart)), shape, dtype: type.dtype };
  const data = allocateHostArray(type.dtype, count);
  const read = elementReader(view, dataStart, type, littleEndian, name);
  const source = columnMajor ? columnMajorOffsets(shape) : (index: number) => index;
  for (let index = 0; index < count; index += 1) data[index] = read(source(index));
  return { data, shape, dtype: type.dtype };
}

/** A version 1.0 file in pieces [header, data]. @throws AnnealError E_DTYPE or E_SHAPE when the tensor is not consistent. */
export function encodeNpy(tensor: HostTensor): Uint8Array[] {
  checkHostTensor(tensor, 'npy');
  const shape = tensor.shape.length === 1 ? `(${tensor.shape[0]},)` : `(${tensor.shape.join(', ')})`;
  const dict = `{'descr': '${descrOut[tensor.dtype]}', 'fortran_order': False, 'shape': ${shape}, }`;
  const total = Math.ceil((10 + dict.length + 1) / alignment) * alignment;
  const header = Buffer.alloc(total, ' ');
  header.set([...magic, 1, 0]);
  header.writeUInt16LE(total - 10, 8);
  header.write(dict, 10);
  header[total - 1] = 0x0a;
  return [header, bytesOf(tensor)];
}

/** Decodes an .npz held in memory; names come without ".npy". @throws AnnealError as `decodeNpy`. */
export function decodeNpz(
  bytes: Uint8Array,
  options: NpyOptions = {},
  name = 'npz buffer',
): Record<string, HostTensor> {
  return Object.fromEntries(
    readZip(bytes, name).map((entry) => [
      entry.name.replace(/\.npy$/, ''),
      decodeNpy(entry.bytes, options, `${name}: entry "${entry.name}"`),
    ]),
  );
}

/** An .npz of stored (not compressed) entries, in pieces. @throws AnnealError as `encodeNpy`; E_RANGE beyond 4 GiB. */
export function encodeNpz(tensors: Readonly<Record<string, HostTensor>>): Uint8Array[] {
  return writeZip(
    Object.entries(tensors).map(([name, tensor]) => ({ name: `${name}.npy`, chunks: encodeNpy(tensor) })),
  );
}

/** @throws AnnealError E_IO when the file cannot be read, else as `decodeNpy`. */
export async function readNpy(path: string, options: NpyOptions = {}): Promise<HostTensor> {
  return decodeNpy(await readBytes(path), options, path);
}

/** @throws AnnealError E_IO when the file cannot be read, else as `decodeNpz`. */
export async function readNpz(path: string, options: NpyOptions = {}): Promise<Record<string, HostTensor>> {
  return decodeNpz(await readBytes(path), options, path);
}

/** Writes atomically. @throws AnnealError E_IO, else as `encodeNpy`. */
export async function writeNpy(path: string, tensor: HostTensor): Promise<void> {
  await writeFileAtomic(path, encodeNpy(tensor));
}

/** Writes atomically. @throws AnnealError E_IO, else as `encodeNpz`. */
export async function writeNpz(path: string, tensors: Readonly<Record<string, HostTensor>>): Promise<void> {
  await writeFileAtomic(path, encodeNpz(tensors));
}

function parseHeader(
  text: string,
  fail: (message: string) => AnnealError,
): { descr: string; fortranOrder: boolean; shape: number[] } {
  const descr = /['"]descr['"]\s*:\s*['"]([<>|=][a-zA-Z]\d+)['"]/.exec(text)?.[1];
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text)?.[1];
  const dimensions = /['"]shape['"]\s*:\s*\(([\d,\sL]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || dimensions === undefined) {
    throw fail(`expected a header with descr (of a plain type), fortran_order and shape, received ${text.trim()}`);
  }
  const shape = dimensions
    .split(',')
    .map((dimension) => dimension.trim().replace(/L$/, ''))
    .filter((dimension) => dimension !== '')
    .map(Number);
  return { descr, fortranOrder: order === 'True', shape };
}

/** Reads element i of the data. int64 is checked against the range of i32. */
function elementReader(
  view: DataView,
  start: number,
  { kind, bytes }: Descr,
  littleEndian: boolean,
  name: string,
): (index: number) => number {
  if (bytes === 1) return (index) => view.getUint8(start + index);
  if (bytes === 2) return (index) => widen(Uint16Array.of(view.getUint16(start + 2 * index, littleEndian)))[0] ?? 0;
  if (kind === 'f') {
    return bytes === 4
      ? (index) => view.getFloat32(start + 4 * index, littleEndian)
      : (index) => view.getFloat64(start + 8 * index, littleEndian);
  }
  if (bytes === 4) return (index) => view.getInt32(start + 4 * index, littleEndian);
  return (index) => {
    const value = view.getBigInt64(start + 8 * index, littleEndian);
    if (value !== BigInt.asIntN(32, value)) {
      throw new AnnealError('E_RANGE', `${name}: expected int64 values within i32, received ${value}`);
    }
    return Number(value);
  };
}

/** Maps a row-major index to the offset of the same element in column-major order. */
function columnMajorOffsets(shape: readonly number[]): (index: number) => number {
  return (index) => {
    let rest = index;
    let offset = 0;
    // Of the column-major strides (1, d0, d0 d1, ...), the last axis, which varies fastest in `index`, has the largest.
    let stride = shape.reduce((product, dimension) => product * dimension, 1);
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      const dimension = shape[axis] ?? 1;
      stride /= dimension;
      offset += (rest % dimension) * stride;
      rest = Math.floor(rest / dimension);
    }
    return offset;
  };
}
