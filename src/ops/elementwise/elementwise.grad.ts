// Backward rules of the elementwise ops. x, y, dy and the result have one shape; broadcasting is undone in binary.ts.
// Every rule is made of ops, so that it can be differentiated again.

import { AnnealError } from '../../errors.js';
import { isNum } from '../../scalar.js';
import type { Tensor } from '../../tensor/tensor.js';
import {
  absGrad,
  add,
  clipGrad,
  div,
  eluGrad,
  equal,
  geluGrad,
  geluTanhGrad,
  greater,
  leakyReluGrad,
  lessEqual,
  mul,
  type Operand,
  overGradient,
  pow,
  reluGrad,
  sigmoidGrad,
  siluGrad,
  softplusGrad,
  sub,
  tanhGrad,
} from './binary.js';
import { cast } from './cast.js';
import type { BinaryName, UnaryName } from './params.js';
import {
  affine,
  cos,
  exp,
  floor,
  log,
  neg,
  powScalar,
  reciprocal,
  sigmoid,
  sin,
  square,
  tanh,
  type UnaryConstants,
} from './unary.js';
import { where } from './where.js';

interface UnaryRule {
  /** What the rule reads besides dy. */
  readonly saves: 'x' | 'y' | 'none';
  /** Gives it to one kernel as it is; else what is stored as f16 is widened first, so that nothing on the way is rounded. */
  readonly fused: boolean;
  backward(dy: Tensor, x: Tensor, y: Tensor, constants: Required<UnaryConstants>): Tensor;
}

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);
const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;
const INVERSE_SQRT_2PI = 1 / Math.sqrt(2 * Math.PI);

const fromX = (backward: UnaryRule['backward']): UnaryRule => ({ saves: 'x', fused: false, backward });
const fromY = (backward: UnaryRule['backward']): UnaryRule => ({ saves: 'y', fused: false, backward });
const linear = (backward: UnaryRule['backward']): UnaryRule => ({ saves: 'none', fused: true, backward });
const fusedX = (name: BinaryName): UnaryRule => ({
  saves: 'x',
  fused: true,
  backward: (dy, x, _y, constants) => overGradient(name, x, dy, constants),
});
const fusedY = (name: BinaryName): UnaryRule => ({
  saves: 'y',
  fused: true,
  backward: (dy, _x, y) => overGradient(name, y, dy),
});

/** dx from dy. A function without an entry has no gradient: it is constant almost everywhere, or a truth value. */
export const unaryGrads: Partial<Record<UnaryName, UnaryRule>> = {
  neg: linear((dy) => neg(dy)),
  abs: fusedX('abs_grad'),
  square: fromX((dy, x) => mul(dy, affine(x, 2))),
  sqrt: fromY((dy, _x, y) => mul(dy, affine(reciprocal(y), 0.5))),
  rsqrt: fromY((dy, _x, y) => mul(dy, affine(powScalar(y, 3), -0.5))),
  reciprocal: fromY((dy, _x, y) => mul(dy, neg(square(y)))),
  exp: fromY((dy, _x, y) => mul(dy, y)),
  expm1: fromY((dy, _x, y) => mul(dy, affine(y, 1, 1))),
  log: fromX((dy, x) => div(dy, x)),
  log1p: fromX((dy, x) => div(dy, affine(x, 1, 1))),
  sin: fromX((dy, x) => mul(dy, cos(x))),
  cos: fromX((dy, x) => mul(dy, neg(sin(x)))),
  tanh: fusedY('tanh_grad'),
  sigmoid: fusedY('sigmoid_grad'),
  relu: fusedY('relu_grad'),
  leaky_relu: fusedX('leaky_relu_grad'),
  elu: fusedX('elu_grad'),
  gelu: fusedX('gelu_grad'),
  gelu_tanh: fusedX('gelu_tanh_grad'),
  silu: fusedX('silu_grad'),
  softplus: fusedX('softplus_grad'),
  clip: fusedX('clip_grad'),
  pow_scalar: fromX((dy, x, _y, { alpha }) => mul(dy, affine(powScalar(x, alpha - 1), alpha))),
  affine: linear((dy, _x, _y, { alpha }) => affine(dy, alpha)),
  erf: fromX((dy, x) => mul(dy, affine(exp(neg(square(x))), TWO_OVER_SQRT_PI))),
};

/** A binary rule gives the gradient of one operand in the broadcast shape. */
type BinarySide = (dy: Tensor, a: Operand, b: Operand, out: Tensor, constants: Required<UnaryConstants>) => Tensor;

export interface BinaryRule {
  /** null: this operand has no gradient. */
  readonly a: BinarySide | null;
  readonly b: BinarySide | null;
  /** What the rule reads besides dy. Default: both operands and the result. */
  readonly saves?: 'none' | 'inputs';
  /** As that of a unary rule. */
  readonly fused?: boolean;
}

/** 1 where the comparison holds, half where both are equal: ties share the gradient. */
function share(won: Tensor, tied: Tensor): Tensor {
  return add(cast(won, 'f32'), affine(cast(tied, 'f32'), 0.5));
}

function tensorOf(operand: Operand): Tensor {
  if (!isNum(operand)) return operand;
  throw new AnnealError('E_INTERNAL', 'backward: expected a tensor, received a number');
}

/** Of (v, g) -> g f'(v): linear in g, and with respect to v the rule given. */
function helper(
  again: (v: Tensor, g: Tensor, constants: Required<UnaryConstants>) => Tensor,
  second: ((d: Tensor, v: Tensor, g: Tensor, out: Tensor) => Tensor) | null,
): BinaryRule {
  return {
    a: second && ((d, v, g, out) => second(d, tensorOf(v), tensorOf(g), out)),
    b: (d, v, _g, _out, constants) => again(tensorOf(v), d, constants),
  };
}

export const binaryGrads: Partial<Record<BinaryName, BinaryRule>> = {
  add: { a: (dy) => dy, b: (dy) => dy, saves: 'none', fused: true },
  sub: { a: (dy) => dy, b: (dy) => neg(dy), saves: 'none', fused: true },
  mul: { a: (dy, _a, b) => mul(dy, b), b: (dy, a) => mul(dy, a), saves: 'inputs', fused: true },
  div: { a: (dy, _a, b) => div(dy, b), b: (dy, _a, b, out) => neg(mul(dy, div(out, b))) },
  pow: {
    a: (dy, a, b) => mul(dy, mul(b, pow(a, sub(b, 1)))),
    // 0^b is constant in b: its logarithm must not make it NaN.
    b: (dy, a, _b, out) =>
      typeof a === 'number'
        ? mul(dy, affine(out, a === 0 ? 0 : Math.log(a)))
        : mul(dy, where(equal(a, 0), 0, mul(out, log(where(equal(a, 0), 1, a))))),
  },
  maximum: {
    a: (dy, a, b) => mul(dy, share(greater(a, b), equal(a, b))),
    b: (dy, a, b) => mul(dy, share(greater(b, a), equal(a, b))),
    fused: true,
  },
  minimum: {
    a: (dy, a, b) => mul(dy, share(greater(b, a), equal(a, b))),
    b: (dy, a, b) => mul(dy, share(greater(a, b), equal(a, b))),
    fused: true,
  },
  squared_difference: {
    a: (dy, a, b) => mul(dy, affine(sub(a, b), 2)),
    b: (dy, a, b) => mul(dy, affine(sub(a, b), -2)),
    saves: 'inputs',
  },
  mod: { a: (dy) => dy, b: (dy, a, b) => neg(mul(dy, floor(div(a, b)))) },
  relu_grad: helper((y, d) => reluGrad(y, d), null),
  abs_grad: helper((x, d) => absGrad(x, d), null),
  leaky_relu_grad: helper((x, d, { alpha }) => leakyReluGrad(x, d, alpha), null),
  clip_grad: helper((x, d, { alpha, beta }) => clipGrad(x, d, alpha, beta), null),
  // g y (1 - y): by y, g (1 - 2y)
  sigmoid_grad: helper(
    (y, d) => sigmoidGrad(y, d),
    (d, y, g) => mul(d, mul(g, affine(y, -2, 1))),
  ),
  // g (1 - y^2): by y, -2 g y
  tanh_grad: helper(
    (y, d) => tanhGrad(y, d),
    (d, y, g) => mul(d, mul(g, affine(y, -2))),
  ),
  // g alpha e^x below 0: by x, itself there
  elu_grad: helper(
    (x, d, { alpha }) => eluGrad(x, d, alpha),
    (d, x, _g, out) => mul(d, mul(out, cast(lessEqual(x, 0), 'f32'))),
  ),
  // g s: by x, g s (1 - s)
  softplus_grad: helper(
    (x, d) => softplusGrad(x, d),
    (d, x, g) => mul(d, sigmoidGrad(sigmoid(x), g)),
  ),
  // g s (1 + x (1 - s)): by x, g s (1 - s) (2 + x (1 - 2s))
  silu_grad: helper(
    (x, d) => siluGrad(x, d),
    (d, x, g) => {
      const s = sigmoid(x);
      return mul(d, mul(sigmoidGrad(s, g), affine(mul(x, affine(s, -2, 1)), 1, 2)));
    },
  ),
  // g (Phi(x) + x phi(x)): by x, g phi(x) (2 - x^2)
  gelu_grad: helper(
    (x, d) => geluGrad(x, d),
    (d, x, g) => mul(d, mul(g, mul(affine(exp(affine(square(x), -0.5)), INVERSE_SQRT_2PI), affine(square(x), -1, 2)))),
  ),
  // With u = k (x + c x^3), t = tanh u: g ((1 + t) / 2 + x / 2 (1 - t^2) u'); by x, g (1 - t^2) (u' + x / 2 (u'' - 2 t u'^2))
  gelu_tanh_grad: helper(
    (x, d) => geluTanhGrad(x, d),
    (d, x, g) => {
      const x2 = square(x);
      const t = tanh(mul(x, affine(x2, SQRT_2_OVER_PI * GELU_CUBIC, SQRT_2_OVER_PI)));
      const slope = affine(x2, 3 * SQRT_2_OVER_PI * GELU_CUBIC, SQRT_2_OVER_PI);
      const bend = sub(affine(x, 6 * SQRT_2_OVER_PI * GELU_CUBIC), mul(affine(t, 2), square(slope)));
      return mul(d, tanhGrad(t, mul(g, add(slope, mul(affine(x, 0.5), bend)))));
    },
  ),
};
