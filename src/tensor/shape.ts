import { AnnealError } from '../errors.js';

export type Shape = readonly number[];

const LARGEST_DIM = 0xffffffff;

/** The number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(',')}]`;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** @throws E_SHAPE unless each dimension is an integer in [0, 2^32) and the size is below 2^53 */
export function checkShape(op: string, shape: Shape): void {
  let size = 1;
  for (const dim of shape) {
    size *= dim;
    if (!Number.isInteger(dim) || dim < 0 || dim > LARGEST_DIM) {
      throw new AnnealError(
        'E_SHAPE',
        `${op}: expected dimensions to be integers of at least 0, received ${formatShape(shape)}`,
      );
    }
  }
  if (!Number.isSafeInteger(size)) {
    throw new AnnealError('E_SHAPE', `${op}: expected fewer than 2^53 elements, received ${formatShape(shape)}`);
  }
}

/** An axis counted from the front; negative ones count from the end. @throws E_SHAPE */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normal < 0 || normal >= rank) {
    throw new AnnealError('E_SHAPE', `${op}: expected an axis in [${-rank}, ${rank - 1}], received ${axis}`);
  }
  return normal;
}

/** Distinct axes in ascending order; undefined means all. @throws E_SHAPE */
export function normalizeAxes(op: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === 'number' ? [axes] : axes).map((axis) => normalizeAxis(op, axis, rank));
  if (new Set(list).size !== list.length) {
    throw new AnnealError('E_SHAPE', `${op}: expected distinct axes, received ${formatShape(list)}`);
  }
  return list.sort((a, b) => a - b);
}

/** NumPy's broadcasting: aligned from the last dimension, 1 stretches. @throws E_SHAPE */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new AnnealError(
        'E_SHAPE',
        `${op}: expected shapes that broadcast, received ${formatShape(a)} and ${formatShape(b)}`,
      );
    }
    return x === 1 ? y : x;
  });
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i] ?? 1;
  }
  return strides;
}
