// Reductions over any set of axes (kernels/reduce/reduce.h).

import { type Backward, record } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { type DType, dtypeCodes } from '../../tensor/dtype.js';
import { formatShape, normalizeAxes, normalizeAxis, type Shape, sizeOf } from '../../tensor/shape.js';
import { changing, empty, type GradientPlace, type Tensor } from '../../tensor/tensor.js';
import { dispatch, expectDType } from '../dispatch.js';
import { affine, sqrt, square, sub } from '../elementwise/elementwise.js';
import { reshape } from '../reshape.js';
import { extremeBackward, prodBackward, sumBackward, sumSquaresBackward } from './reduce.grad.js';

const MAX_RANK = 6;

export const reduceParams = struct('reduce', {
  code: 'u32',
  dtype: 'u32',
  rank: 'u32',
  dims: ['u32', MAX_RANK],
  axes: 'u32',
  accumulate: 'u32',
});

/** In the order of the C++ enum. */
export const reduceCodes = ['sum', 'mean', 'max', 'min', 'prod', 'argmax', 'argmin', 'sum_squares'] as const;

type ReduceName = (typeof reduceCodes)[number];

/** One axis, several, or all when left out. Negative ones count from the end. */
export type Axes = number | readonly number[];

export interface ReduceOptions {
  /** Keep reduced dimensions as 1. Default false. */
  readonly keepDims?: boolean;
}

/** Neighbouring dimensions of one kind, kept or reduced, become one; those of size 1 vanish. */
function collapse(shape: Shape, reduced: ReadonlySet<number>): { dims: number[]; axes: number } {
  const dims: number[] = [];
  const kinds: boolean[] = [];
  shape.forEach((dim, i) => {
    if (dim === 1) return;
    const kind = reduced.has(i);
    if (kinds.at(-1) === kind) dims[dims.length - 1] = (dims.at(-1) ?? 1) * dim;
    else {
      dims.push(dim);
      kinds.push(kind);
    }
  });
  return { dims, axes: kinds.reduce((bits, kind, i) => (kind ? bits | (1 << i) : bits), 0) };
}

/** How one reduction is laid out: the shape of its result, with and without the reduced dimensions. */
export interface Reduction {
  readonly axes: readonly number[];
  readonly kept: Shape;
  /** As `kept`, reduced dimensions as 1. */
  readonly padded: Shape;
  /** Items combined into one. */
  readonly count: number;
}

function reductionOf(name: ReduceName, x: Tensor, axes: Axes | undefined): Reduction {
  const list = normalizeAxes(name, axes, x.rank);
  const reduced = new Set(list);
  return {
    axes: list,
    kept: x.shape.filter((_, i) => !reduced.has(i)),
    padded: x.shape.map((dim, i) => (reduced.has(i) ? 1 : dim)),
    count: sizeOf(list.map((axis) => x.shape[axis] ?? 1)),
  };
}

function runReduce(name: ReduceName, x: Tensor, over: readonly number[], out: Tensor, accumulate = false): void {
  const { dims, axes } = collapse(x.shape, new Set(over));
  if (dims.length > MAX_RANK) {
    throw new AnnealError(
      'E_SHAPE',
      `${name}: expected axes that form at most ${MAX_RANK} groups, received ${formatShape(x.shape)}`,
    );
  }
  dispatch(
    reduceParams,
    { code: reduceCodes.indexOf(name), dtype: dtypeCodes[x.dtype], rank: dims.length, dims, axes, accumulate },
    [x],
    [out],
  );
}

function reduce<D extends DType>(
  name: ReduceName,
  x: Tensor,
  dtype: D,
  axes: Axes | undefined,
  { keepDims = false }: ReduceOptions,
  rule?: (x: Tensor, out: Tensor, reduction: Reduction) => Backward,
): Tensor<D> {
  expectDType(name, 'x', x, 'f32', 'i32');
  const reduction = reductionOf(name, x, axes);
  if (reduction.count === 0 && (name === 'max' || name === 'min' || name.startsWith('arg'))) {
    throw new AnnealError('E_SHAPE', `${name}: expected one or more items to reduce, received ${formatShape(x.shape)}`);
  }
  const out = empty(keepDims ? reduction.padded : reduction.kept, dtype, x.device);
  runReduce(name, x, reduction.axes, out);
  return rule ? record(name, out, [x], rule(x, out, reduction)) : out;
}

/** What sums and products of D are: f32 for f16, which would not hold them. */
export type SumOf<D extends DType> = D extends 'f16' ? 'f32' : D;

const sumOf = <D extends DType>({ dtype }: Tensor<D>): SumOf<D> => (dtype === 'f16' ? 'f32' : dtype) as SumOf<D>;

/** The sum over axes; f32 in lanes and blocks whose order follows from the shape. 0 over nothing. */
export function sum<D extends DType>(x: Tensor<D>, axes?: Axes, options: ReduceOptions = {}): Tensor<SumOf<D>> {
  return reduce('sum', x, sumOf(x), axes, options, (_x, _out, reduction) => sumBackward(x.shape, reduction, 1));
}

/** The sum of an f32 tensor over axes into a place of as many items as remain, or added to what it holds. Returns its tensor. */
export function sumInto({ tensor, holds }: GradientPlace, x: Tensor, axes: readonly number[]): Tensor<'f32'> {
  runReduce('sum', x, axes, changing(tensor), holds);
  return tensor;
}

/** The sum of all squares of an f32 tensor into `target`, a scalar. Returns it. */
export function sumSquaresInto(target: Tensor<'f32'>, x: Tensor): Tensor<'f32'> {
  runReduce('sum_squares', x, normalizeAxes('sumSquares', undefined, x.rank), changing(target));
  return target;
}

/** The mean over axes of an f32 tensor. NaN over nothing. */
export function mean(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor<'f32'> {
  expectDType('mean', 'x', x, 'f32');
  return reduce('mean', x, 'f32', axes, options, (_x, _out, reduction) =>
    sumBackward(x.shape, reduction, 1 / reduction.count),
  );
}

/** The largest item over axes; NaN wins, ties share the gradient. @throws E_SHAPE over nothing */
export function max<D extends DType>(x: Tensor<D>, axes?: Axes, options: ReduceOptions = {}): Tensor<D> {
  return reduce('max', x, x.dtype, axes, options, extremeBackward);
}

/** The smallest item over axes; NaN wins, ties share the gradient. @throws E_SHAPE over nothing */
export function min<D extends DType>(x: Tensor<D>, axes?: Axes, options: ReduceOptions = {}): Tensor<D> {
  return reduce('min', x, x.dtype, axes, options, extremeBackward);
}

/** The product over axes. 1 over nothing. */
export function prod<D extends DType>(x: Tensor<D>, axes?: Axes, options: ReduceOptions = {}): Tensor<SumOf<D>> {
  return reduce('prod', x, sumOf(x), axes, options, prodBackward);
}

/** The sum of squares over axes. */
export function sumSquares<D extends DType>(x: Tensor<D>, axes?: Axes, options: ReduceOptions = {}): Tensor<SumOf<D>> {
  return reduce('sum_squares', x, sumOf(x), axes, options, sumSquaresBackward);
}

/** The i32 index of the largest item along an axis; the first wins. @throws E_SHAPE over nothing */
export function argMax(x: Tensor, axis: number, options: ReduceOptions = {}): Tensor<'i32'> {
  return reduce('argmax', x, 'i32', normalizeAxis('argMax', axis, x.rank), options);
}

/** The i32 index of the smallest item along an axis; the first wins. @throws E_SHAPE over nothing */
export function argMin(x: Tensor, axis: number, options: ReduceOptions = {}): Tensor<'i32'> {
  return reduce('argmin', x, 'i32', normalizeAxis('argMin', axis, x.rank), options);
}

/** The Euclidean norm over axes. */
export function norm(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor<'f32'> {
  return sqrt(sumSquares(x, axes, options));
}

export interface VarianceOptions extends ReduceOptions {
  /** The divisor is the number of items minus this. Default 0; 1 gives the unbiased estimate. */
  readonly correction?: number;
}

/** sum((x - mean)^2) / (n - correction) over axes. */
export function variance(x: Tensor, axes?: Axes, { keepDims = false, correction = 0 }: VarianceOptions = {}): Tensor {
  const centred = sub(x, mean(x, axes, { keepDims: true }));
  const { count } = reductionOf('sum', x, axes);
  return affine(sum(square(centred), axes, { keepDims }), 1 / (count - correction));
}

/** x with its kept dimensions padded by 1, so that it broadcasts against what was reduced. */
export function pad1(x: Tensor, reduction: Reduction): Tensor {
  return reshape(x, reduction.padded);
}
