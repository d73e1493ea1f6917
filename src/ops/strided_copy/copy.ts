// The op behind everything that moves items without computing (kernels/strided_copy/strided_copy.h).
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { dtypeCodes, isFloat } from '../../tensor/dtype.js';
import { formatShape, type Shape, sameShape, stridesOf } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';

const MAX_RANK = 6;

export const stridedCopyParams = struct('strided_copy', {
  dtype: 'u32',
  rank: 'u32',
  dims: ['u32', MAX_RANK],
  inStrides: ['i32', MAX_RANK],
  outStrides: ['i32', MAX_RANK],
  inOffset: 'u32',
  outOffset: 'u32',
  accumulate: 'u32',
});

/** One side of a copy: where its items lie, in items from the start of the tensor. */
export interface Strided {
  readonly tensor: Tensor;
  readonly strides: readonly number[];
  readonly offset?: number;
}

/** to[i] = from[i], or += , over dims; neighbouring dimensions that both sides step through evenly become one. */
export function copyStrided(op: string, dims: Shape, from: Strided, to: Strided, accumulate = false): void {
  const merged: number[] = [];
  const inStrides: number[] = [];
  const outStrides: number[] = [];
  dims.forEach((dim, i) => {
    if (dim === 1) return;
    const a = from.strides[i] ?? 0;
    const b = to.strides[i] ?? 0;
    const last = merged.length - 1;
    if (last >= 0 && inStrides[last] === a * dim && outStrides[last] === b * dim) {
      merged[last] = (merged[last] ?? 1) * dim;
      inStrides[last] = a;
      outStrides[last] = b;
    } else {
      merged.push(dim);
      inStrides.push(a);
      outStrides.push(b);
    }
  });
  if (merged.length > MAX_RANK) {
    throw new AnnealError(
      'E_SHAPE',
      `${op}: expected at most ${MAX_RANK} dimensions that do not merge, received ${formatShape(dims)}`,
    );
  }
  dispatch(
    stridedCopyParams,
    {
      dtype: dtypeCodes[to.tensor.dtype],
      rank: merged.length,
      dims: merged,
      inStrides,
      outStrides,
      inOffset: from.offset ?? 0,
      outOffset: to.offset ?? 0,
      accumulate,
    },
    [from.tensor],
    [to.tensor],
  );
}

/** Overwrites target with x, in place and off the tape. @throws E_SHAPE, E_DTYPE; E_ARGUMENT on the result of a recorded op */
export function copyInto(target: Tensor, x: Tensor): void {
  if (!sameShape(target.shape, x.shape)) {
    throw new AnnealError(
      'E_SHAPE',
      `copyInto: expected shape ${formatShape(target.shape)}, received ${formatShape(x.shape)}`,
    );
  }
  if (target.dtype !== x.dtype && !(isFloat(target.dtype) && isFloat(x.dtype)))
    throw new AnnealError('E_DTYPE', `copyInto: expected ${target.dtype}, received ${x.dtype}`);
  if (target.node !== null)
    throw new AnnealError('E_ARGUMENT', 'copyInto: expected a target that is not the result of a recorded op');
  const strides = stridesOf(x.shape);
  copyStrided('copyInto', x.shape, { tensor: x, strides }, { tensor: target, strides });
  target.storage.version++;
}
