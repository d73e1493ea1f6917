// Backward rules of matrix products, made of matrix products, so that they hold to any order.
import type { Backward } from '../../autograd/tape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { activationGrad, type FusedActivation } from '../activation.js';
import { sumTo } from '../reduce/sum_to.js';
import { matmul } from './sgemm.js';

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
  return (dy, [needsA = false, needsB = false, needsBias = false]) => {
    const dz = activationGrad(activation, y, dy); // [...,M,N], before the activation
    const da = (): Tensor =>
      transposeA
        ? matmul(b, dz, { transposeA: transposeB, transposeB: true }) // op(b) dz^T: [...,K,M]
        : matmul(dz, b, { transposeB: !transposeB }); // dz op(b)^T: [...,M,K]
    const db = (): Tensor =>
      transposeB
        ? matmul(dz, a, { transposeA: true, transposeB: transposeA }) // dz^T op(a): [...,N,K]
        : matmul(a, dz, { transposeA: !transposeA }); // op(a)^T dz: [...,K,N]
    return [
      needsA ? sumTo(da(), a.shape) : null,
      needsB ? sumTo(db(), b.shape) : null,
      needsBias ? sumTo(dz, dz.shape.slice(-1)) : null, // [N]
    ];
  };
}
