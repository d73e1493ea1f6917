/** Tensors on the host: plain typed arrays with a shape. Readers, writers and datasets speak this; no device is involved. */
import { AnnealError } from '../errors.js';
import { type DType, dtypeOf, type HostArray, hostArray, itemBytes, storedArray } from '../tensor/dtype.js';
import { checkShape, formatShape, type Shape, sizeOf } from '../tensor/shape.js';

/** `data` is row-major and holds exactly product(shape) elements of `dtype`; those of f16 as f32. */
export interface HostTensor {
  readonly data: HostArray;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A zeroed array of `length` elements. */
export function allocateHostArray(dtype: DType, length: number): HostArray {
  return hostArray(dtype, new ArrayBuffer(length * itemBytes(dtype)));
}

/** The bytes of the elements as files store them, where they need no rounding to f16 without a copy. */
export function bytesOf({ data, dtype }: Pick<HostTensor, 'data' | 'dtype'>): Uint8Array {
  const { buffer, byteOffset, byteLength } = storedArray(dtype, data);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A typed array over a copy of little-endian `bytes`, whose length is a multiple of the element size. */
export function arrayFromBytes(dtype: DType, bytes: Uint8Array): HostArray {
  const buffer = new ArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return hostArray(dtype, buffer);
}

/**
 * Checks that data, shape and dtype belong together.
 * @throws AnnealError E_DTYPE or E_SHAPE, the message starting with `who`.
 */
export function checkHostTensor(tensor: HostTensor, who: string): void {
  const { data, shape, dtype } = tensor;
  const known = data instanceof Float32Array || data instanceof Int32Array || data instanceof Uint8Array;
  const stored = known ? dtypeOf(data) : Object.prototype.toString.call(data).slice(8, -1);
  if (stored !== (dtype === 'f16' ? 'f32' : dtype)) {
    throw new AnnealError(
      'E_DTYPE',
      `${who}: expected f32, i32 or u8 in a Float32Array, Int32Array or Uint8Array, received dtype ${dtype} with ${stored} data`,
    );
  }
  checkShape(who, shape);
  if (data.length !== sizeOf(shape)) {
    throw new AnnealError(
      'E_SHAPE',
      `${who}: expected ${sizeOf(shape)} elements for shape ${formatShape(shape)}, received ${data.length}`,
    );
  }
}
