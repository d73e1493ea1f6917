// Backward rules of softmaxCrossEntropy. Shapes: R rows, C classes. With q_c the coefficient of lse - x_c in the loss of
// a row, p = softmax(x), A = sum q and d the gradient of that loss: loss = sum q (lse - x), dlogits = d (A p - q).
import type { Backward } from '../../autograd/tape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { onesLike } from '../creation.js';
import { add, affine, cast, div, mul, neg, notEqual, sub } from '../elementwise/elementwise.js';
import { sum } from '../reduce/reduce.js';
import { reshape } from '../reshape.js';
import { logSoftmax, softmax } from '../softmax/softmax.js';
import { type CrossEntropy, crossEntropyGrad, isReduced } from './softmax_cross_entropy.js';

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

/** d, the gradient with respect to the losses of the rows before their reduction: [R,1], or [1,1] for all. */
function perRow({ divisor }: CrossEntropy, dLoss: Tensor): Tensor {
  return column(divisor ? div(dLoss, divisor) : dLoss);
}

/** dLoss -> dlogits [R,C], and for a dense target -d (1 - e) w_c ln p_c [R,C]. */
export function crossEntropyBackward(call: CrossEntropy): Backward {
  return (dLoss, needs) => [
    needs[0] ? crossEntropyGrad(call, dLoss) : null,
    needs[1] && call.params.dense ? neg(mul(perRow(call, dLoss), byTarget(call, logSoftmax(call.logits)))) : null,
  ];
}

/** Of dlogits = d (A p - q) with respect to logits, target and dLoss; g [R,C]. */
export function crossEntropyGradBackward(call: CrossEntropy, dLoss: Tensor): Backward {
  return (g, needs) => {
    const p = softmax(call.logits); // [R,C]
    const mean = rowSum(mul(g, p)); // [R,1]
    return [
      // d A p (g - sum g p)
      needs[0] ? mul(mul(perRow(call, dLoss), totals(call)), mul(p, sub(g, mean))) : null,
      // d (1 - e) w_c (sum g p - g_c)
      needs[1] && call.params.dense ? mul(perRow(call, dLoss), byTarget(call, sub(mean, g))) : null,
      // sum g (A p - q), over all rows if they have one loss: the gradient for dLoss = 1, against g
      needs[2]
        ? reshape(sum(mul(g, crossEntropyGrad(call, onesLike(dLoss))), isReduced(call) ? [0, 1] : 1), dLoss.shape)
        : null,
    ];
  };
}
