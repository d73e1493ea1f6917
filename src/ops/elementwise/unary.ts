// Elementwise functions of one tensor.
import { named, record, records } from '../../autograd/tape.js';
import { AnnealError } from '../../errors.js';
import { type DType, dtypeCodes, type StoredLike, storedLike } from '../../tensor/dtype.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch, expectDType } from '../dispatch.js';
import { widened } from './cast.js';
import { unaryGrads } from './elementwise.grad.js';
import { type UnaryName, unaryCode, unaryParams } from './params.js';

export interface UnaryConstants {
  readonly alpha?: number;
  readonly beta?: number;
}

/** out[i] = f(x[i]), written as `dtype`. */
function unary<D extends DType>(name: UnaryName, x: Tensor, dtype: D, constants: UnaryConstants = {}): Tensor<D> {
  const { alpha = 0, beta = 0 } = constants;
  const out = empty(x.shape, dtype, x.device);
  const isInteger = x.dtype === 'i32';
  dispatch(
    unaryParams,
    {
      code: unaryCode.get(name) ?? 0,
      dtype: dtypeCodes[x.dtype],
      count: x.size,
      alpha,
      beta,
      intAlpha: isInteger ? alpha : 0,
      intBeta: isInteger ? beta : 0,
    },
    [x],
    [out],
  );
  const rule = unaryGrads[name];
  if (rule === undefined || !records([x])) return named(name, out);
  const seen = rule.fused ? (t: Tensor) => t : widened;
  return record(name, out, [x], (dy) => [rule.backward(dy, seen(x), seen(out), { alpha, beta })], {
    saved: rule.saves === 'x' ? [x] : rule.saves === 'y' ? [out] : [],
  });
}

/** A function of f32. */
function real(
  name: UnaryName,
  constants: UnaryConstants = {},
): <D extends DType>(x: Tensor<D>) => Tensor<StoredLike<D>> {
  return (x) => {
    expectDType(name, 'x', x, 'f32');
    return unary(name, x, storedLike(x), constants);
  };
}

/** A function of f32 or i32 that keeps the dtype. */
function keeping(name: UnaryName): <D extends DType>(x: Tensor<D>, constants?: UnaryConstants) => Tensor<D> {
  return (x, constants = {}) => {
    expectDType(name, 'x', x, 'f32', 'i32');
    return unary(name, x, x.dtype, constants);
  };
}

/** A truth value, as i32 0 or 1. */
function truth(name: UnaryName, ...dtypes: readonly DType[]): (x: Tensor) => Tensor<'i32'> {
  return (x) => {
    expectDType(name, 'x', x, ...dtypes);
    return unary(name, x, 'i32');
  };
}

/** -x. */
export const neg = keeping('neg');
/** |x|; its gradient at 0 is 0. */
export const abs = keeping('abs');
/** -1, 0 or 1; no gradient. */
export const sign = keeping('sign');
/** x^2. */
export const square = keeping('square');
/** x^(1/2). */
export const sqrt = real('sqrt');
/** x^(-1/2). */
export const rsqrt = real('rsqrt');
/** 1 / x. */
export const reciprocal = real('reciprocal');
/** e^x. */
export const exp = real('exp');
/** e^x - 1, exact near 0. */
export const expm1 = real('expm1');
/** ln x. */
export const log = real('log');
/** ln(1 + x), exact near 0. */
export const log1p = real('log1p');
/** sin x, x in radians. */
export const sin = real('sin');
/** cos x, x in radians. */
export const cos = real('cos');
/** tanh x. */
export const tanh = real('tanh');
/** 1 / (1 + e^-x). */
export const sigmoid = real('sigmoid');
/** max(x, 0); NaN stays NaN, the gradient at 0 is 0. */
export const relu = keeping('relu');
/** x/2 (1 + erf(x / sqrt 2)). Hendrycks and Gimpel 2016, arXiv:1606.08415. */
export const gelu = real('gelu');
/** gelu's tanh approximation. */
export const geluTanh = real('gelu_tanh');
/** x sigmoid(x). */
export const silu = real('silu');
/** ln(1 + e^x). */
export const softplus = real('softplus');
/** The largest integer <= x; no gradient. */
export const floor = real('floor');
/** The smallest integer >= x; no gradient. */
export const ceil = real('ceil');
/** The nearest integer, halves to even; no gradient. */
export const round = real('round');
/** x == 0 as i32 0 or 1. */
export const logicalNot = truth('logical_not', 'f32', 'i32');
/** Whether x is NaN, as i32 0 or 1. */
export const isNaN = truth('is_nan', 'f32');
/** Whether x is neither NaN nor infinite, as i32 0 or 1. */
export const isFinite = truth('is_finite', 'f32');
/** 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x. */
export const erf = real('erf');

/** x > 0 ? x : alpha x. */
export function leakyRelu<D extends DType>(x: Tensor<D>, alpha = 0.01): Tensor<StoredLike<D>> {
  return real('leaky_relu', { alpha })(x);
}

/** x > 0 ? x : alpha (e^x - 1). */
export function elu<D extends DType>(x: Tensor<D>, alpha = 1): Tensor<StoredLike<D>> {
  return real('elu', { alpha })(x);
}

const clipTo = keeping('clip');

/** x within [low, high]; the gradient passes where x is. @throws E_ARGUMENT when low > high */
export function clip<D extends DType>(x: Tensor<D>, low: number, high: number): Tensor<D> {
  if (!(low <= high)) throw new AnnealError('E_ARGUMENT', `clip: expected low <= high, received ${low} and ${high}`);
  return clipTo(x, { alpha: low, beta: high });
}

/** Clips an f32 tensor to [-bound, bound] in place and off the tape; `bound` is asked again for each replay. */
export function clipInto(target: Tensor<'f32'>, bound: () => number): void {
  const given = () => ({
    code: unaryCode.get('clip') ?? 0,
    dtype: dtypeCodes.f32,
    count: target.size,
    alpha: -bound(),
    beta: bound(),
    intAlpha: 0,
    intBeta: 0,
  });
  dispatch(unaryParams, given, [target], [target]);
  target.storage.version++;
}

/** x^exponent for a number. */
export function powScalar<D extends DType>(x: Tensor<D>, exponent: number): Tensor<StoredLike<D>> {
  return real('pow_scalar', { alpha: exponent })(x);
}

const affineOf = keeping('affine');

/** scale x + offset, in one pass. */
export function affine<D extends DType>(x: Tensor<D>, scale: number, offset = 0): Tensor<D> {
  return affineOf(x, { alpha: scale, beta: offset });
}
