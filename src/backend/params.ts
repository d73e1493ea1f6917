// The codec of an op's parameter struct: the same bytes serve as the C++ struct, the CUDA argument and the WGSL uniform.

import { isNum, type Scalar } from '../scalar.js';
import { type OpName, opNames, type WordViews } from './backend.js';

export type ScalarType = 'u32' | 'i32' | 'f32';
export type FieldSpec = ScalarType | readonly [ScalarType, number];

/** Values for a struct's fields; a missing field is 0 and a short array is filled with 0. */
export type FieldValues<F extends Record<string, FieldSpec>> = {
  [K in keyof F]?: F[K] extends ScalarType ? number | boolean | Scalar : ArrayLike<number>;
};

/** A value, or what gives it each time it is needed. */
export type Live<T> = T | (() => T);

/** `fn` of a value, live if the value is. */
export function mapLive<T, U>(value: Live<T>, fn: (value: T) => U): Live<U> {
  return typeof value === 'function' ? () => fn((value as () => T)()) : fn(value);
}

/** Every field of a struct, as it was encoded. */
export type DecodedValues<F extends Record<string, FieldSpec>> = {
  readonly [K in keyof F]: F[K] extends ScalarType ? number : readonly number[];
};

/** The decoded values of a struct, by its type. */
export type DecodedOf<S> = S extends ParamStruct<infer F> ? DecodedValues<F> : never;

export interface FieldLayout {
  readonly name: string;
  readonly type: ScalarType;
  /** Bytes from the start of the struct. */
  readonly offset: number;
  readonly count: number;
}

export interface ParamStruct<F extends Record<string, FieldSpec> = Record<string, FieldSpec>> {
  readonly op: OpName;
  /** The op's place in `opNames`. */
  readonly id: number;
  readonly bytes: number;
  readonly fields: readonly FieldLayout[];
  /** Writes the encoded bytes to the first words of `to`. */
  write(values: FieldValues<F>, to: WordViews): void;
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
  // On the path of every call. Integers of both signs have the same bits modulo 2^32.
  const write = (values: FieldValues<F>, { i32, f32 }: WordViews): void => {
    let at = 0;
    for (const { name, type, count } of fields) {
      const value = values[name];
      if (typeof value === 'number' && count === 1) {
        if (type === 'f32') f32[at++] = value;
        else i32[at++] = value;
      } else if (typeof value !== 'object' || isNum(value)) {
        if (type === 'f32') f32[at++] = Number(value ?? 0);
        else i32[at++] = Number(value ?? 0);
        for (let i = 1; i < count; i++) i32[at++] = 0;
      } else {
        const words = type === 'f32' ? f32 : i32;
        for (let i = 0; i < count; i++) words[at++] = i < value.length ? (value[i] ?? 0) : 0;
      }
    }
  };
  const encode = (values: FieldValues<F>): Uint8Array => {
    write(values, views);
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
  return { op, id: opNames.indexOf(op), bytes: offset, fields, write, encode, decode };
}
