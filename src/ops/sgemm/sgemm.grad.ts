// Backward rules of matrix products, made of matrix products, so that they hold to any order.
import type { Backward } from '../../autograd/tape.js';
import type { Place, Tensor } from '../../tensor/tensor.js';
import { activationGrad, type FusedActivation } from '../activation.js';
import { sumTo } from '../reduce/sum_to.js';
import { multiply } from './sgemm.js';

export interface MatmulForm {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly activation: FusedActivation;
}

/**
 * Of y = activation(op(a) op(b) + bias), with respect to a, b and bias. op(a) [...,M,K], op(b) [...,K,N]; where one matrix
 * served a whole batch, its gradient is the sum over the batch.
 */
export function matmulRule(
  a: Tensor,
  b: Tensor,
  y: Tensor,
  { transposeA, transposeB, activation }: MatmulForm,
): Backward {
  return (dy, [needsA = false, needsB = false, needsBias = false], places) => {
    const dz = activationGrad(activation, y, dy); // [...,M,N], before the activation
    const da = (place: Place): Tensor =>
      transposeA
        ? multiply(b, dz, { transposeA: transposeB, transposeB: true }, place) // op(b) dz^T: [...,K,M]
        : multiply(dz, b, { transposeB: !transposeB }, place); // dz op(b)^T: [...,M,K]
    const db = (place: Place): Tensor =>
      transposeB
        ? multiply(dz, a, { transposeA: true, transposeB: transposeA }, place) // dz^T op(a): [...,N,K]
        : multiply(a, dz, { transposeA: !transposeA }, place); // op(a)^T dz: [...,K,N]
    // What is yet to be summed over a batch goes elsewhere first.
    const whole = a.rank === 2 && b.rank === 2;
    return [
      needsA ? sumTo(da(whole ? places[0] : null), a.shape, places[0]) : null,
      needsB ? sumTo(db(whole ? places[1] : null), b.shape, places[1]) : null,
      needsBias ? sumTo(dz, dz.shape.slice(-1), places[2]) : null, // [N]
    ];
  };
}
