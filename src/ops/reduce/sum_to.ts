import { type Shape, sameShape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { reshape } from '../reshape.js';
import { sum, sumLeadingInto } from './reduce.js';

/**
 * Undoes broadcasting: sums x over the axes along which `shape` was stretched to x's shape. Where only leading axes were
 * added, the sum goes to `place`, if there is one, off the tape.
 */
export function sumTo(x: Tensor, shape: Shape, place: Tensor<'f32'> | null = null): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.rank - shape.length;
  if (place !== null && lead > 0 && sameShape(x.shape.slice(lead), shape)) return sumLeadingInto(place, x, lead);
  const axes = x.shape.flatMap((dim, i) => (i < lead || (shape[i - lead] === 1 && dim !== 1) ? [i] : []));
  return reshape(sum(x, axes, { keepDims: true }), shape);
}
