// Backward rules of matrix products, made of matrix products, so that they hold to any order.
import type { Backward } from '../../autograd/tape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { activationGrad, type FusedActivation } from '../activation.js';
import { sumTo } from '../reduce/sum_to.js';
import { type MatmulOptions, matmul, matmulInto } from './sgemm.js';

export interface MatmulForm {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly activation: FusedActivation;
}

/** op(a) op(b), where a place is given into that. */
function product(place: Tensor<'f32'> | null, a: Tensor, b: Tensor, options: MatmulOptions): Tensor {
  return place === null ? matmul(a, b, options) : matmulInto(place, a, b, options);
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
    const da = (): Tensor =>
      transposeA
        ? matmul(b, dz, { transposeA: transposeB, transposeB: true }) // op(b) dz^T: [...,K,M]
        : matmul(dz, b, { transposeB: !transposeB }); // dz op(b)^T: [...,M,K]
    const db = (place: Tensor<'f32'> | null = null): Tensor =>
      transposeB
        ? product(place, dz, a, { transposeA: true, transposeB: transposeA }) // dz^T op(a): [...,N,K]
        : product(place, a, dz, { transposeA: !transposeA }); // op(a)^T dz: [...,K,N]
    const placeB = places[1] ?? null;
    const dbInPlace = placeB !== null && a.rank === 2 && dz.rank === 2;
    return [
      needsA ? sumTo(da(), a.shape) : null,
      !needsB ? null : dbInPlace ? db(placeB) : sumTo(db(), b.shape),
      needsBias ? sumTo(dz, dz.shape.slice(-1), places[2]) : null, // [N]
    ];
  };
}
