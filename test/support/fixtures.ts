// The stored PyTorch results: test/fixtures/ops/*.json, made by test/fixtures/make_op_fixtures.py.
import { readFileSync } from 'node:fs';
import { type Nd, nd } from './nd.js';
import type { Padding, Reduction } from './reference_ops.js';

export interface Stored {
  readonly shape: readonly number[];
  readonly dtype: 'f32' | 'i32' | 'u8';
  readonly data: readonly number[];
}

/** The values; those of f32 are decimals that name a float32, not the double nearest to them. */
export function storedNd({ shape, dtype, data }: Stored): Nd {
  return nd(shape, dtype === 'f32' ? data.map(Math.fround) : data);
}

/** Everything an op of the fixtures may be given besides tensors. */
export interface Options {
  readonly activation?: 'none' | 'relu' | 'sigmoid' | 'tanh';
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly stride?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly padding?: Padding;
  readonly groups?: number;
  readonly size?: readonly number[];
  readonly countIncludePad?: boolean;
  readonly slope?: number;
  readonly alpha?: number;
  readonly min?: number;
  readonly max?: number;
  readonly axis?: number;
  readonly axes?: readonly number[] | null;
  readonly keepDims?: boolean;
  readonly labelSmoothing?: number;
  readonly reduction?: Reduction;
  readonly delta?: number;
  readonly epsilon?: number;
  readonly training?: boolean;
  readonly momentum?: number;
  readonly sizes?: readonly number[];
  readonly begin?: readonly number[];
  readonly paddings?: readonly (readonly [number, number])[];
  readonly value?: number;
  readonly permutation?: readonly number[];
  readonly shape?: readonly number[];
  readonly dtype?: 'f32' | 'i32';
}

export interface FixtureCase {
  readonly op: string;
  readonly name: string;
  readonly options: Options;
  readonly inputs: Readonly<Record<string, Stored>>;
  readonly outputs: Readonly<Record<string, Stored>>;
  /** The gradients are those of the sum of upstream * output. */
  readonly upstream: Readonly<Record<string, Stored>>;
  readonly gradients: Readonly<Record<string, Stored>>;
}

export const rooms = [
  'linear',
  'conv2d',
  'pool2d',
  'elementwise',
  'reduce',
  'softmax',
  'losses',
  'normalization',
  'indexing',
] as const;

export function fixtureCases(room: (typeof rooms)[number]): readonly FixtureCase[] {
  const url = new URL(`../fixtures/ops/${room}.json`, import.meta.url);
  const file: { cases: FixtureCase[] } = JSON.parse(readFileSync(url, 'utf8'));
  return file.cases;
}
