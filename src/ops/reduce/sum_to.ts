import { type Shape, sameShape } from '../../tensor/shape.js';
import type { Place, Tensor } from '../../tensor/tensor.js';
import { reshape } from '../reshape.js';
import { sum, sumInto } from './reduce.js';

/**
 * Undoes broadcasting: sums x over the axes along which `shape` was stretched to x's shape, into `place` if there is one.
 * What was not stretched is x itself.
 */
export function sumTo(x: Tensor, shape: Shape, place?: Place): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  const axes = x.shape.flatMap((dim, i) => (i < lead || (shape[i - lead] === 1 && dim !== 1) ? [i] : []));
  return place ? sumInto(place, x, axes) : reshape(sum(x, axes, { keepDims: true }), shape);
}
