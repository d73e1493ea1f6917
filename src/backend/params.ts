// The codec of an op's parameter struct: the same bytes serve as the C++ struct, the CUDA argument and the WGSL uniform.
import type { OpName } from './backend.js';

export type ScalarType = 'u32' | 'i32' | 'f32';
export type FieldSpec = ScalarType | readonly [ScalarType, number];

/** Values for a struct's fields; a missing field is 0 and a short array is filled with 0. */
export type FieldValues<F extends Record<string, FieldSpec>> = {
  [K in keyof F]?: F[K] extends ScalarType ? number | boolean : ArrayLike<number>;
};

/** Every field of a struct, as it was encoded. */
export type DecodedValues<F extends Record<string, FieldSpec>> = {
  readonly [K in keyof F]: F[K] extends ScalarType ? number : readonly number[];
};

export interface FieldLayout {
  readonly name: string;
  readonly type: ScalarType;
  /** Bytes from the start of the struct. */
  readonly offset: number;
  readonly count: number;
}

export interface ParamStruct<F extends Record<string, FieldSpec> = Record<string, FieldSpec>> {
  readonly op: OpName;
  readonly bytes: number;
  readonly fields: readonly FieldLayout[];
  /** The encoded bytes. The array is reused: valid until the next call of this struct's `encode`. */
  encode(values: FieldValues<F>): Uint8Array;
  /** The values behind encoded bytes, as a recorded op holds them. */
  decode(bytes: Uint8Array): DecodedValues<F>;
}

/**
 * Declares an op's parameter struct. Fields are 4 bytes wide and follow each other in the order given, as in the C++
 * struct; a test compares every offset with the addon's `offsetof`.
 */
export function struct<const F extends Record<string, FieldSpec>>(op: OpName, spec: F): ParamStruct<F> {
  let offset = 0;
  const fields: FieldLayout[] = Object.entries(spec).map(([name, field]) => {
    const [type, count] = typeof field === 'string' ? [field, 1] : field;
    const layout = { name, type, offset, count };
    offset += 4 * count;
    return layout;
  });
  const buffer = new ArrayBuffer(offset);
  const views = { u32: new Uint32Array(buffer), i32: new Int32Array(buffer), f32: new Float32Array(buffer) };
  const bytes = new Uint8Array(buffer);
  const encode = (values: FieldValues<F>): Uint8Array => {
    for (const { name, type, offset: at, count } of fields) {
      const value = values[name];
      const view = views[type];
      const first = at / 4;
      if (typeof value === 'object') {
        for (let i = 0; i < count; i++) view[first + i] = value[i] ?? 0;
      } else {
        view[first] = Number(value ?? 0);
        for (let i = 1; i < count; i++) view[first + i] = 0;
      }
    }
    return bytes;
  };
  const decode = (encoded: Uint8Array): DecodedValues<F> => {
    const data = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    const read = (type: ScalarType, at: number): number => {
      if (type === 'f32') return data.getFloat32(at, true);
      return type === 'u32' ? data.getUint32(at, true) : data.getInt32(at, true);
    };
    const values = fields.map(({ name, type, offset: at, count }) => [
      name,
      typeof spec[name] === 'string' ? read(type, at) : Array.from({ length: count }, (_, i) => read(type, at + 4 * i)),
    ]);
    return Object.fromEntries(values);
  };
  return { op, bytes: offset, fields, encode, decode };
}
