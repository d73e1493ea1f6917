// Losses between a prediction and a target of one shape, made of ops: their gradients follow from those.
import { AnnealError } from '../../errors.js';
import { formatShape, sameShape } from '../../tensor/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { expectDType } from '../dispatch.js';
import { abs, add, affine, clip, mul, neg, softplus, squaredDifference, sub } from '../elementwise/elementwise.js';
import { type LossOptions, reduceLoss } from './reduction.js';

export type { LossOptions, Reduction } from './reduction.js';

/** A target that merely broadcasts is nearly always a mistake: [n, 1] against [n] would compare all pairs. */
function checkPair(op: string, prediction: Tensor, target: Tensor): void {
  expectDType(op, 'the prediction', prediction, 'f32');
  expectDType(op, 'the target', target, 'f32');
  if (!sameShape(prediction.shape, target.shape)) {
    throw new AnnealError(
      'E_SHAPE',
      `${op}: expected prediction and target of one shape, received ${formatShape(prediction.shape)} and ${formatShape(target.shape)}`,
    );
  }
}

/** (prediction - target)^2. @throws E_SHAPE, E_DTYPE */
export function mse(prediction: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  checkPair('mse', prediction, target);
  return reduceLoss('mse', squaredDifference(prediction, target), reduction);
}

/** |prediction - target|; its gradient at 0 is 0. @throws E_SHAPE, E_DTYPE */
export function l1(prediction: Tensor, target: Tensor, { reduction }: LossOptions = {}): Tensor {
  checkPair('l1', prediction, target);
  return reduceLoss('l1', abs(sub(prediction, target)), reduction);
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
  checkPair('huber', prediction, target);
  if (!(delta > 0)) throw new AnnealError('E_ARGUMENT', `huber: expected delta > 0, received ${delta}`);
  const distance = abs(sub(prediction, target));
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
  checkPair('bceWithLogits', logits, target);
  const positive = mul(target, softplus(neg(logits)));
  const negative = mul(affine(target, -1, 1), softplus(logits));
  return reduceLoss('bceWithLogits', add(posWeight === 1 ? positive : mul(positive, posWeight), negative), reduction);
}
