// Backward rules of gather: the two maps are each other's transpose. Integers have no gradient.
import type { Backward } from '../../autograd/tape.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { gatherGrad, gatherRows } from './gather.js';

/** [...n, ...rest] -> [rows, ...rest]. */
export function gatherBackward(indices: Tensor, shape: Shape): Backward {
  return (dy, _needs, [place]) => [gatherGrad(indices, dy, shape, place), null];
}

/** [rows, ...rest] -> [...n, ...rest]. */
export function gatherGradBackward(indices: Tensor): Backward {
  return (g) => [null, gatherRows(g, indices)];
}
