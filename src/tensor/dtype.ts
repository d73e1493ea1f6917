import { narrow, widen } from './half.js';

/** `f16` is a way to store what ops take for f32: they compute in f32, and round what they store once. */
export type DType = 'f32' | 'f16' | 'i32' | 'u8';

/** What ops take for f32. */
export type FloatDType = 'f32' | 'f16';

/** How an op stores a result that is f32 to its contract, beside an operand of D: as f16 where that is. */
export type StoredLike<D extends DType> = D extends 'f16' ? 'f16' : 'f32';

/** The dtype of StoredLike. */
export function storedLike<D extends DType>({ dtype }: { readonly dtype: D }): StoredLike<D> {
  return (dtype === 'f16' ? 'f16' : 'f32') as StoredLike<D>;
}

/** What a tensor's values are read as: those of f16 widened. */
export type TypedArrayOf<D extends DType> = D extends FloatDType
  ? Float32Array
  : D extends 'i32'
    ? Int32Array
    : Uint8Array;
export type HostArray = Float32Array | Int32Array | Uint8Array;

/** The code of a dtype in kernel parameters (native/core/op.h), where f16 is no other than f32. */
export const dtypeCodes = { f32: 0, f16: 0, i32: 1, u8: 2 } as const satisfies Record<DType, number>;

export function itemBytes(dtype: DType): number {
  if (dtype === 'u8') return 1;
  return dtype === 'f16' ? 2 : 4;
}

export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === 'f32' || dtype === 'f16';
}

/** The values of `dtype` in `buffer`: a view of it, or where there is no such array a copy. */
export function hostArray(dtype: DType, buffer: ArrayBuffer): HostArray {
  if (dtype === 'f32') return new Float32Array(buffer);
  if (dtype === 'f16') return widen(new Uint16Array(buffer));
  return dtype === 'i32' ? new Int32Array(buffer) : new Uint8Array(buffer);
}

/** Values as a tensor of `dtype` stores them. */
export function storedArray(dtype: DType, values: ArrayLike<number>): HostArray | Uint16Array {
  if (isFloat(dtype)) {
    const floats = values instanceof Float32Array ? values : Float32Array.from(values);
    return dtype === 'f16' ? narrow(floats) : floats;
  }
  if (dtype === 'i32') return values instanceof Int32Array ? values : Int32Array.from(values);
  return values instanceof Uint8Array ? values : Uint8Array.from(values);
}

export function dtypeOf(array: HostArray): DType {
  if (array instanceof Float32Array) return 'f32';
  return array instanceof Int32Array ? 'i32' : 'u8';
}
