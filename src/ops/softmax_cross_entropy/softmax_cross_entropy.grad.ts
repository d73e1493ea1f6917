// Backward rules of softmaxCrossEntropy. Shapes: R rows, C classes. With q_c the coefficient of lse - x_c in the loss of
// a row, p = softmax(x) and A = sum q: loss = sum q (lse - x), dlogits = dLoss (A p - q).
import type { Backward } from '../../autograd/tape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { onesLike } from '../creation.js';
import { add, affine, cast, mul, neg, notEqual, sub } from '../elementwise/elementwise.js';
import { sum } from '../reduce/reduce.js';
import { reshape } from '../reshape.js';
import { logSoftmax, softmax } from '../softmax/softmax.js';
import { type CrossEntropy, crossEntropyGrad } from './softmax_cross_entropy.js';

const column = (x: Tensor): Tensor => reshape(x, [x.size, 1]);
const rowSum = (x: Tensor): Tensor => sum(x, 1, { keepDims: true });

/** (1 - e) w_c x [R,C]: how the coefficients follow a dense target. */
function byTarget({ classWeights, params }: CrossEntropy, x: Tensor): Tensor {
  const kept = affine(x, 1 - params.labelSmoothing);
  return classWeights ? mul(kept, classWeights) : kept;
}

/** A [R,1]. */
function totals({ target, classWeights, weight, params }: CrossEntropy): Tensor {
  const { labelSmoothing, classes, dense, ignoreIndex } = params;
  if (dense) {
    const coefficients = affine(target, 1 - labelSmoothing, labelSmoothing / classes);
    return rowSum(classWeights ? mul(coefficients, classWeights) : coefficients);
  }
  const atTarget = affine(weight, 1 - labelSmoothing);
  if (labelSmoothing === 0) return column(atTarget);
  const counted = cast(notEqual(target, ignoreIndex), 'f32');
  const spread = classWeights
    ? mul(affine(counted, labelSmoothing / classes), sum(classWeights))
    : affine(counted, labelSmoothing);
  return column(add(atTarget, spread));
}

/** dLoss [R] -> dlogits [R,C], and for a dense target -dLoss (1 - e) w_c ln p_c [R,C]. */
export function crossEntropyBackward(call: CrossEntropy): Backward {
  return (dLoss, needs) => [
    needs[0] ? crossEntropyGrad(call, dLoss) : null,
    needs[1] && call.params.dense ? neg(mul(column(dLoss), byTarget(call, logSoftmax(call.logits)))) : null,
  ];
}

/** Of dlogits = dLoss (A p - q) with respect to logits, target and dLoss; g [R,C]. */
export function crossEntropyGradBackward(call: CrossEntropy, dLoss: Tensor): Backward {
  return (g, needs) => {
    const p = softmax(call.logits); // [R,C]
    const mean = rowSum(mul(g, p)); // [R,1]
    return [
      // dLoss A p (g - sum g p)
      needs[0] ? mul(mul(column(dLoss), totals(call)), mul(p, sub(g, mean))) : null,
      // dLoss (1 - e) w_c (sum g p - g_c)
      needs[1] && call.params.dense ? mul(column(dLoss), byTarget(call, sub(mean, g))) : null,
      // sum g (A p - q): the gradient for dLoss = 1, against g
      needs[2] ? reshape(rowSum(mul(g, crossEntropyGrad(call, onesLike(dLoss)))), dLoss.shape) : null,
    ];
  };
}
