// Reshape: another view of the same memory.
import { record } from '../autograd/tape.js';
import { AnnealError } from '../errors.js';
import type { DType } from '../tensor/dtype.js';
import { formatShape, type Shape, sameShape, sizeOf } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';

/**
 * The same elements in the same order as another shape; one dimension may be -1 and follows from the others. Shares
 * memory with x. @throws E_SHAPE when the sizes differ
 */
export function reshape<D extends DType>(x: Tensor<D>, shape: Shape): Tensor<D> {
  if (sameShape(x.shape, shape)) return record('reshape', x.view(x.shape), [x], (dy) => [dy], { saved: [] });
  const wildcards = shape.filter((dim) => dim === -1).length;
  const rest = sizeOf(shape.filter((dim) => dim !== -1));
  const dims = shape.map((dim) => (dim === -1 ? x.size / rest : dim));
  if (wildcards > 1 || sizeOf(dims) !== x.size || !dims.every((dim) => Number.isInteger(dim) && dim >= 0)) {
    throw new AnnealError(
      'E_SHAPE',
      `reshape: expected a shape of ${x.size} elements, received ${formatShape(shape)} for ${formatShape(x.shape)}`,
    );
  }
  const from = x.shape;
  return record('reshape', x.view(dims), [x], (dy) => [reshape(dy, from)], { saved: [] });
}
