// Backward rules of reductions. dy has the kept dimensions; `spread` puts it back under each item that was combined.
import type { Backward } from '../../autograd/tape.js';
import type { Shape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { widened } from '../elementwise/cast.js';
import { affine, broadcastTo, cast, div, equal, mul, where } from '../elementwise/elementwise.js';
import { pad1, prod, type Reduction, sum } from './reduce.js';

/** dx = scale dy. */
export function sumBackward(shape: Shape, reduction: Reduction, scale: number): Backward {
  return (dy) => [broadcastTo(pad1(scale === 1 ? dy : affine(dy, scale), reduction), shape)];
}

/** dx = dy / ties where x is the extreme. */
export function extremeBackward(x: Tensor, out: Tensor, reduction: Reduction): Backward {
  return (dy) => {
    const winners = cast(equal(x, pad1(out, reduction)), 'f32');
    const ties = sum(winners, reduction.axes, { keepDims: true });
    return [mul(winners, div(pad1(dy, reduction), ties))];
  };
}

/** dx = dy times the product of the other items: out / x, or with one zero among them, only that one's is not 0. */
export function prodBackward(base: Tensor, _out: Tensor, reduction: Reduction): Backward {
  return (dy) => {
    const x = widened(base);
    const isZero = equal(x, 0);
    const zeros = sum(isZero, reduction.axes, { keepDims: true });
    const filled = where(isZero, 1, x);
    const rest = prod(filled, reduction.axes, { keepDims: true });
    const others = where(isZero, where(equal(zeros, 1), rest, 0), where(equal(zeros, 0), div(rest, filled), 0));
    return [mul(pad1(dy, reduction), others)];
  };
}

/** dx = 2 x dy. */
export function sumSquaresBackward(x: Tensor, _out: Tensor, reduction: Reduction): Backward {
  return (dy) => [mul(affine(widened(x), 2), pad1(dy, reduction))];
}
