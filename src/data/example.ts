// Single examples, as users' functions and streams give them, and batches made of them.
import { AnnealError, reasonOf } from '../errors.js';
import { allocateHostArray, checkHostTensor, type HostTensor } from '../io/host_tensor.js';
import { dtypeOf } from '../tensor/dtype.js';
import { formatShape, sameShape } from '../tensor/shape.js';
import type { HostBatch } from './batch.js';

/** A tensor; a typed array or a list of numbers, then of shape [length], a list as f32; or a number. */
export type ExampleValue = HostTensor | Float32Array | Int32Array | Uint8Array | readonly number[] | number;

/**
 * One example. A number for x is an f32 scalar; a number for y is a class, i32. A target that is a quantity is a list:
 * y: [0.5] makes targets f32 [N, 1].
 */
export interface Example {
  readonly x: ExampleValue;
  readonly y: ExampleValue;
  /** How much it counts in the loss. Default 1. */
  readonly weight?: number;
}

/** An example as tensors: x and y without a leading axis. */
export interface HostExample {
  readonly x: HostTensor;
  readonly y: HostTensor;
  readonly weight?: number;
}

/** What to do about a bad record: stop with an error, or leave it out and count it. */
export type OnBad = 'error' | 'skip';

/** The error about record `index`, whatever was thrown or given for it. */
export function badRecord(index: number, error: unknown): AnnealError {
  const code = error instanceof AnnealError ? error.code : 'E_FORMAT';
  const reason = reasonOf(error);
  return new AnnealError(code, `record ${index}: ${reason}`, { cause: error });
}

function valueTensor(value: ExampleValue, name: 'x' | 'y'): HostTensor {
  if (typeof value === 'number') {
    if (name === 'x') return { data: Float32Array.of(value), shape: [], dtype: 'f32' };
    if (!Number.isInteger(value) || Math.abs(value) > 0x7fffffff) {
      throw new AnnealError(
        'E_DTYPE',
        `y: expected a class, a whole number, received ${value}; a quantity goes in as [${value}]`,
      );
    }
    return { data: Int32Array.of(value), shape: [], dtype: 'i32' };
  }
  if (value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array) {
    return { data: value, shape: [value.length], dtype: dtypeOf(value) };
  }
  if (Array.isArray(value)) {
    const wrong = value.findIndex((each) => typeof each !== 'number');
    if (wrong >= 0) {
      throw new AnnealError('E_DTYPE', `${name}: expected numbers, received ${typeof value[wrong]} at ${wrong}`);
    }
    return { data: Float32Array.from(value), shape: [value.length], dtype: 'f32' };
  }
  if (typeof value !== 'object' || value === null || !('data' in value)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${name}: expected a number, numbers or { data, shape, dtype }, received ${value === null ? 'null' : typeof value}`,
    );
  }
  checkHostTensor(value, name);
  return value;
}

/** @throws AnnealError E_ARGUMENT, E_DTYPE or E_SHAPE for what is no example. */
export function hostExample(example: Example): HostExample {
  if (typeof example !== 'object' || example === null) {
    throw new AnnealError('E_ARGUMENT', `expected an example { x, y }, received ${typeof example}`);
  }
  const { weight } = example;
  if (weight !== undefined && !Number.isFinite(weight)) {
    throw new AnnealError('E_RANGE', `weight: expected a finite number, received ${weight}`);
  }
  return {
    x: valueTensor(example.x, 'x'),
    y: valueTensor(example.y, 'y'),
    ...(weight === undefined ? {} : { weight }),
  };
}

/** @throws AnnealError E_SHAPE or E_DTYPE unless both fit into one batch. */
export function checkAlike(example: HostExample, first: HostExample): void {
  for (const name of ['x', 'y'] as const) {
    const [received, expected] = [example[name], first[name]];
    if (!sameShape(received.shape, expected.shape)) {
      throw new AnnealError(
        'E_SHAPE',
        `${name}: expected ${formatShape(expected.shape)} as in the records before, received ${formatShape(received.shape)}`,
      );
    }
    if (received.dtype !== expected.dtype) {
      throw new AnnealError(
        'E_DTYPE',
        `${name}: expected ${expected.dtype} as in the records before, received ${received.dtype}`,
      );
    }
  }
}

/** The examples, which are alike, one after the other. */
function stacked(examples: readonly HostExample[], name: 'x' | 'y'): HostTensor {
  const first = examples[0]?.[name];
  if (first === undefined) throw new AnnealError('E_INTERNAL', 'batch: expected at least one example');
  const width = first.data.length;
  const data = allocateHostArray(first.dtype, examples.length * width);
  examples.forEach((example, index) => {
    data.set(example[name].data, index * width);
  });
  return { data, shape: [examples.length, ...first.shape], dtype: first.dtype };
}

/** A batch with arrays of its own. `position`: of the first example within the epoch. */
export function batchOf(examples: readonly HostExample[], position: number): HostBatch {
  const size = examples.length;
  const batch = { x: stacked(examples, 'x'), y: stacked(examples, 'y'), size, position };
  if (examples.every(({ weight }) => weight === undefined)) return batch;
  const data = Float32Array.from(examples, ({ weight = 1 }) => weight);
  return { ...batch, weight: { data, shape: [size], dtype: 'f32' } };
}

function row({ data, shape, dtype }: HostTensor, index: number): HostTensor {
  const width = shape.slice(1).reduce((product, dimension) => product * dimension, 1);
  return { data: data.subarray(index * width, (index + 1) * width), shape: shape.slice(1), dtype };
}

/** Example `index` of a batch: a view of the batch's arrays. */
export function exampleOf(batch: HostBatch, index: number): HostExample {
  const weight = batch.weight?.data[index];
  return { x: row(batch.x, index), y: row(batch.y, index), ...(weight === undefined ? {} : { weight }) };
}

/** The example with arrays of its own. */
export function copiedExample({ x, y, ...rest }: HostExample): HostExample {
  return { ...rest, x: { ...x, data: x.data.slice() }, y: { ...y, data: y.data.slice() } };
}
