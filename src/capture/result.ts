// What a captured function gives back: its form as it was recorded, with other tensors in it each time.
import { itemBytes } from '../tensor/dtype.js';
import type { Storage } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import type { InputLook } from './inputs.js';

/** Where a tensor of the result lies. */
export class Place {
  constructor(
    readonly storage: Storage,
    /** The input it is a part of, or -1. */
    readonly input: number,
    /** Elements from the start of the storage, or of the input. */
    readonly offset: number,
    readonly shape: Tensor['shape'],
    readonly dtype: Tensor['dtype'],
  ) {}
}

/** Rebuilds a value with the leaves of one kind replaced, within arrays and plain objects. */
export function mapLeaves<T>(
  value: unknown,
  isLeaf: (value: unknown) => value is T,
  replace: (leaf: T) => unknown,
): unknown {
  if (isLeaf(value)) return replace(value);
  if (Array.isArray(value)) return value.map((item) => mapLeaves(item, isLeaf, replace));
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapLeaves(item, isLeaf, replace)]));
  }
  return value;
}

export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
export const isPlace = (value: unknown): value is Place => value instanceof Place;

/** Views of the tensors of a result, off the tape: what a replay gives too. */
export function detached(result: unknown): unknown {
  if (result instanceof Promise) return result; // refused by the scope
  return mapLeaves(result, isTensor, (tensor) => tensor.detach());
}

export function placeOf(tensor: Tensor, looks: readonly InputLook[]): Place {
  const { storage, offset, shape, dtype } = tensor;
  const input = looks.findIndex(
    (look) =>
      look.storage === storage &&
      tensor.byteOffset >= look.byteOffset &&
      tensor.byteOffset + tensor.byteLength <= look.byteOffset + look.byteLength,
  );
  const start = (looks[input]?.byteOffset ?? 0) / itemBytes(dtype);
  return new Place(storage, input, offset - start, shape, dtype);
}
