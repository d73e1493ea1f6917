// Rows by index (kernels/gather/gather.h).
import { record } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { type DType, dtypeCodes } from '../../tensor/dtype.js';
import { formatShape, normalizeAxis, type Shape, sizeOf } from '../../tensor/shape.js';
import { empty, emptyAt, type Place, type Tensor } from '../../tensor/tensor.js';
import { arange } from '../creation.js';
import { dispatch, expectDType, expectRank } from '../dispatch.js';
import { cast, equal } from '../elementwise/elementwise.js';
import { reshape } from '../reshape.js';
import { transpose } from '../strided_copy/strided_copy.js';
import { gatherBackward, gatherGradBackward } from './gather.grad.js';

export const gatherParams = struct('gather', { dtype: 'u32', rows: 'u32', width: 'u32', count: 'u32' });
export const gatherBackwardParams = struct('gather_backward', { rows: 'u32', width: 'u32', count: 'u32' });

/** table[indices] along the first axis: [rows, ...rest] and [...n] give [...n, ...rest]. */
export function gatherRows<D extends DType>(table: Tensor<D>, indices: Tensor): Tensor<D> {
  const [rows = 1, ...rest] = table.shape;
  const out = empty([...indices.shape, ...rest], table.dtype, table.device);
  dispatch(
    gatherParams,
    { dtype: dtypeCodes[table.dtype], rows, width: sizeOf(rest), count: indices.size },
    [table, indices],
    [out],
  );
  return record('gather', out, [table, indices], gatherBackward(indices, table.shape), { saved: [indices] });
}

/** The gradient of `gatherRows`: rows of dy added up by index, in their order, into a table of the given shape. */
export function gatherGrad(indices: Tensor, dy: Tensor, shape: Shape, place?: Place): Tensor<'f32'> {
  const [rows = 1, ...rest] = shape;
  const out = emptyAt(place, shape, dy.device);
  dispatch(gatherBackwardParams, { rows, width: sizeOf(rest), count: indices.size }, [indices, dy], [out]);
  return record('gatherGrad', out, [indices, dy], gatherGradBackward(indices), { saved: [indices] });
}

/**
 * Items of x along an axis by i32 index: the axis is replaced by the shape of `indices`. An index outside of
 * [0, dim) is an error of the device: E_RANGE once the result is read; on WebGPU and CUDA, which cannot report it,
 * NaN (0 of integers). @throws E_DTYPE, E_SHAPE
 */
export function gather<D extends DType>(x: Tensor<D>, indices: Tensor, axis = 0): Tensor<D> {
  expectDType('gather', 'indices', indices, 'i32');
  const along = normalizeAxis('gather', axis, x.rank);
  if (along === 0) return gatherRows(x, indices);
  // [before, dim, after] -> [dim, before, after] -> [n, before, after] -> [before, n, after]
  const before = sizeOf(x.shape.slice(0, along));
  const after = sizeOf(x.shape.slice(along + 1));
  const dim = x.shape[along] ?? 1;
  const front = transpose(reshape(x, [before, dim, after]), [1, 0, 2]);
  const rows = reshape(gatherRows(front, indices), [indices.size, before, after]);
  return reshape(transpose(rows, [1, 0, 2]), [
    ...x.shape.slice(0, along),
    ...indices.shape,
    ...x.shape.slice(along + 1),
  ]);
}

/** Rows of a table [n, width] by i32 id: [...ids, width]. @throws E_DTYPE, E_SHAPE; E_RANGE as `gather` */
export function embedding<D extends DType>(table: Tensor<D>, ids: Tensor): Tensor<D> {
  expectDType('embedding', 'ids', ids, 'i32');
  expectRank('embedding', 'table', table, 2);
  return gatherRows(table, ids);
}

/** 1 at each index, 0 elsewhere: i32 [...n] gives f32 [...n, depth]. Indices outside give a row of zeros. */
export function oneHot(indices: Tensor, depth: number): Tensor<'f32'> {
  expectDType('oneHot', 'indices', indices, 'i32');
  if (!Number.isInteger(depth) || depth < 0) {
    throw new AnnealError(
      'E_ARGUMENT',
      `oneHot: expected a depth of at least 0, received ${depth} for ${formatShape(indices.shape)}`,
    );
  }
  const classes = arange(0, depth, 1, { dtype: 'i32', device: indices.device });
  return cast(equal(reshape(indices, [...indices.shape, 1]), classes), 'f32');
}
