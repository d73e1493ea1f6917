// Backward rules of the gradients of softmax and log-softmax, for second derivatives. Shapes: all [..., cols]; sums run
// over the last axis and keep it. g is the gradient that arrives.
import type { Backward } from '../../autograd/tape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { exp, mul, neg, sub } from '../elementwise/elementwise.js';
import { sum } from '../reduce/reduce.js';
import { softmaxGrad } from './softmax.js';

const rowSum = (x: Tensor): Tensor => sum(x, -1, { keepDims: true });

/** Of dx = y (dy - sum dy y). */
export function softmaxGradBackward(y: Tensor, dy: Tensor): Backward {
  return (g, needs) => [
    // by y: g (dy - sum dy y) - dy sum g y
    needs[0] ? sub(mul(g, sub(dy, rowSum(mul(dy, y)))), mul(dy, rowSum(mul(g, y)))) : null,
    // by dy: the same map, which is symmetric
    needs[1] ? softmaxGrad(y, g, false) : null,
  ];
}

/** Of dx = dy - e^y sum dy. */
export function logSoftmaxGradBackward(y: Tensor, dy: Tensor): Backward {
  return (g, needs) => {
    const weighted = mul(g, exp(y));
    return [
      // by y: -g e^y sum dy
      needs[0] ? neg(mul(weighted, rowSum(dy))) : null,
      // by dy: g - sum g e^y
      needs[1] ? sub(g, rowSum(weighted)) : null,
    ];
  };
}
