// Arrays of doubles with a shape: what the reference ops of the tests compute with.
import { seedOf, symmetric } from './formula.js';

export interface Nd {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export function size(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

export function nd(shape: readonly number[], data?: ArrayLike<number>): Nd {
  const result = { shape, data: new Float64Array(size(shape)) };
  if (data) {
    if (data.length !== result.data.length)
      throw new Error(`expected ${result.data.length} values, got ${data.length}`);
    result.data.set(data);
  }
  return result;
}

/** The index of each dimension of a flat row-major index. */
export function unravel(flat: number, shape: readonly number[]): number[] {
  const index = shape.map(() => 0);
  for (let d = shape.length - 1; d >= 0; d--) {
    const dim = shape[d]!;
    index[d] = flat % dim;
    flat = Math.floor(flat / dim);
  }
  return index;
}

export function ravel(index: readonly number[], shape: readonly number[]): number {
  let flat = 0;
  shape.forEach((dim, d) => {
    flat = flat * dim + index[d]!;
  });
  return flat;
}

/** The array of a shape whose elements are f(index). */
export function build(shape: readonly number[], f: (index: number[], flat: number) => number): Nd {
  const result = nd(shape);
  for (let i = 0; i < result.data.length; i++) result.data[i] = f(unravel(i, shape), i);
  return result;
}

export function at(x: Nd, ...index: number[]): number {
  return x.data[ravel(index, x.shape)]!;
}

/** The element that broadcasting puts at `index` of a larger shape. */
export function broadcastAt(x: Nd, index: readonly number[]): number {
  const skip = index.length - x.shape.length;
  return x.data[
    ravel(
      x.shape.map((dim, d) => (dim === 1 ? 0 : index[d + skip]!)),
      x.shape,
    )
  ]!;
}

export function broadcastShape(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, d) =>
    shapes.reduce((dim, s) => {
      const own = s[d - rank + s.length] ?? 1;
      return own === 1 ? dim : own;
    }, 1),
  );
}

/** How values are drawn, away from points where an op has no derivative. */
export type Domain = 'anywhere' | 'positive' | 'off zero' | 'distinct' | 'unit';

/** Values exact in float32 that depend on the name only. */
export function draw(name: string, shape: readonly number[], domain: Domain = 'anywhere'): Nd {
  const seed = seedOf(name);
  const n = size(shape);
  const result = build(shape, (_, i) => {
    const u = symmetric(i, seed);
    switch (domain) {
      case 'anywhere':
        return Math.fround(1.5 * u);
      case 'positive':
        return Math.fround(1.2 + u);
      case 'unit':
        return Math.fround(0.5 + 0.45 * u);
      case 'off zero':
        return Math.fround(Math.sign(u) * (0.1 + Math.abs(u)));
      case 'distinct':
        return 0;
    }
  });
  if (domain === 'distinct') {
    // A shuffled grid from -1 to 1: no two values are closer than its step.
    const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => symmetric(a, seed) - symmetric(b, seed));
    order.forEach((i, place) => {
      result.data[i] = Math.fround((2 * place + 1) / n - 1);
    });
  }
  return result;
}
