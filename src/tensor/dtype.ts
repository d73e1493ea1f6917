export type DType = 'f32' | 'i32' | 'u8';

export type TypedArrayOf<D extends DType> = D extends 'f32' ? Float32Array : D extends 'i32' ? Int32Array : Uint8Array;
export type HostArray = Float32Array | Int32Array | Uint8Array;

/** The code of a dtype in kernel parameters (native/core/op.h). */
export const dtypeCodes = { f32: 0, i32: 1, u8: 2 } as const satisfies Record<DType, number>;

export function itemBytes(dtype: DType): number {
  return dtype === 'u8' ? 1 : 4;
}

/** A view of `buffer` as the host array of `dtype`. */
export function hostArray(dtype: DType, buffer: ArrayBuffer): HostArray {
  if (dtype === 'f32') return new Float32Array(buffer);
  return dtype === 'i32' ? new Int32Array(buffer) : new Uint8Array(buffer);
}

export function dtypeOf(array: HostArray): DType {
  if (array instanceof Float32Array) return 'f32';
  return array instanceof Int32Array ? 'i32' : 'u8';
}
