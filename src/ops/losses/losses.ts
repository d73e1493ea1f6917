// Losses between a prediction and a target of one shape, made of ops: their gradients follow from those.
import { AnnealError } from '../../errors.js';
import { formatShape, sameShape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { expectDType } from '../dispatch.js';
import { widened } from '../elementwise/cast.js';
import { abs, add, affine, clip, mul, neg, softplus, squaredDifference, sub } from '../elementwise/elementwise.js';
import { type LossOptions, reduceLoss } from './reduction.js';

export type { LossOptions, Reduction } from './reduction.js';

/**
 * Both as f32, which losses are made in. A target that merely broadcasts is nearly always a mistake: [n, 1] against [n] would
 * compare all pairs.
 */
function pairOf(op: string, prediction: Tensor, target: Tensor): readonly [Tensor, Tensor] {
  expectDType(op, 'the prediction', prediction, 'f32');
  expectDType(op, 'the target', target, 'f32');
  if (!sameShape(prediction.shape, target.shape)) {
    throw new AnnealError(
      'E_SHAPE',
      `${op}: expected prediction and target of one shape, received ${formatShape(prediction.shape)} and ${formatShape(target.shape)}`,
    );
  }
  return [widened(prediction), widened(target)];
}

/** (prediction - target)^2. @throws E_SHAPE, E_DTYPE */
export function mse(prediction: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  const [x, t] = pairOf('mse', prediction, target);
  return reduceLoss('mse', squaredDifference(x, t), reduction);
}

/** |prediction - target|; its gradient at 0 is 0. @throws E_SHAPE, E_DTYPE */
export function l1(prediction: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  const [x, t] = pairOf('l1', prediction, target);
  return reduceLoss('l1', abs(sub(x, t)), reduction);
}

export interface HuberOptions extends LossOptions {
  /** Where the square goes over into the line. Default 1. */
  readonly delta?: number;
}

/**
 * d^2 / 2 for d = |prediction - target| up to delta, delta (d - delta / 2) beyond. Huber 1964,
 * doi:10.1214/aoms/1177703732. @throws E_SHAPE, E_DTYPE; E_ARGUMENT unless delta > 0
 */
export function huber(prediction: Tensor, target: Tensor, { reduction, delta = 1 }: HuberOptions = {}): Tensor {
  const [x, t] = pairOf('huber', prediction, target);
  if (!(delta > 0)) throw new AnnealError('E_ARGUMENT', `huber: expected delta > 0, received ${delta}`);
  const distance = abs(sub(x, t));
  const near = clip(distance, 0, delta);
  return reduceLoss('huber', mul(near, sub(distance, affine(near, 0.5))), reduction);
}

export interface BceOptions extends LossOptions {
  /** Factor of the loss of positive targets: a number, or a tensor that broadcasts. Default 1. */
  readonly posWeight?: Tensor | number;
}

/**
 * -w t ln sigmoid(x) - (1 - t) ln(1 - sigmoid(x)) for logits x, targets t in [0, 1], w = posWeight. Written as
 * w t softplus(-x) + (1 - t) softplus(x): both terms are positive, so nothing cancels. @throws E_SHAPE, E_DTYPE
 */
export function bceWithLogits(logits: Tensor, target: Tensor, { reduction, posWeight = 1 }: BceOptions = {}): Tensor {
  const [x, t] = pairOf('bceWithLogits', logits, target);
  const positive = mul(t, softplus(neg(x)));
  const negative = mul(affine(t, -1, 1), softplus(x));
  return reduceLoss('bceWithLogits', add(posWeight === 1 ? positive : mul(positive, posWeight), negative), reduction);
}
