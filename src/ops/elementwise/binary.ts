// Elementwise functions of two tensors, with NumPy's broadcasting. Either may be a number.
import { type Backward, gradEnabled, named, record, records } from '../../autograd/tape.js';
import { AnnealError } from '../../errors.js';
import { isNum, type Num, Scalar } from '../../scalar.js';
import { dtypeCodes, isFloat } from '../../tensor/dtype.js';
import { broadcastShapes, formatShape, type Shape, sameShape } from '../../tensor/shape.js';
import { empty, type Place, type Tensor } from '../../tensor/tensor.js';
import { dispatch } from '../dispatch.js';
import { sumTo } from '../reduce/sum_to.js';
import { reshape } from '../reshape.js';
import { cast, widened } from './cast.js';
import { type BinaryRule, binaryGrads } from './elementwise.grad.js';
import { type BinaryName, binaryCode, binaryParams, pairLoops } from './params.js';
import { powScalar, type UnaryConstants } from './unary.js';
import { where } from './where.js';

/** A Scalar counts as a fraction, whatever its value. */
export type Operand = Tensor | Num;

const scalarShape: Shape = [];

/** What elementwise functions of two operands give. */
type Numeric = 'f32' | 'f16' | 'i32';

/**
 * f32 when a tensor is f32; else f16 when one is, whatever numbers and integers there are; else f32 with a fraction, and i32 when
 * all are integers. @throws E_DTYPE on u8
 */
function commonDType(op: string, operands: readonly Operand[]): Numeric {
  for (const operand of operands) {
    if (!isNum(operand) && operand.dtype === 'u8') {
      throw new AnnealError(
        'E_DTYPE',
        `${op}: expected f32 or i32, received u8 ${formatShape(operand.shape)}; cast() it first`,
      );
    }
  }
  const holds = (dtype: Numeric): boolean => operands.some((operand) => !isNum(operand) && operand.dtype === dtype);
  if (holds('f32')) return 'f32';
  if (holds('f16')) return 'f16';
  const isInteger = (operand: Operand): boolean =>
    isNum(operand) ? Number.isInteger(operand) : operand.dtype === 'i32';
  return operands.every(isInteger) ? 'i32' : 'f32';
}

/** The common dtype of all operands, and the tensors in what an op of it takes: f16 beside f32 as it is. */
export function promote(op: string, ...operands: readonly Operand[]): { dtype: Numeric; operands: Operand[] } {
  const dtype = commonDType(op, operands);
  const taken = (operand: Operand): boolean => isNum(operand) || dtype === 'i32' || operand.dtype !== 'i32';
  return {
    dtype,
    operands: operands.map((operand) => (isNum(operand) || taken(operand) ? operand : cast(operand, 'f32'))),
  };
}

/** Whether it is f32, or a number, which takes the type of a tensor that is. */
function mayBeFloat(operand: Operand): boolean {
  return isNum(operand) || operand.dtype === 'f32';
}

export function shapeOf(operand: Operand): Shape {
  return isNum(operand) ? scalarShape : operand.shape;
}

function run(
  name: BinaryName,
  dtype: Numeric,
  a: Operand,
  b: Operand,
  out: Tensor,
  { alpha = 0, beta = 0 }: UnaryConstants,
): void {
  const { dims, strides } = pairLoops(name, out.shape, shapeOf(a), shapeOf(b));
  const scalar = isNum(a) ? a : isNum(b) ? b : 0;
  dispatch(
    binaryParams,
    {
      code: binaryCode.get(name) ?? 0,
      dtype: dtypeCodes[dtype],
      rank: dims.length,
      dims,
      strideA: strides[0] ?? [],
      strideB: strides[1] ?? [],
      scalar,
      intScalar: dtype === 'i32' ? scalar : 0,
      alpha,
      beta,
    },
    [isNum(a) ? null : a, isNum(b) ? null : b],
    [out],
  );
}

function backwardOf(rule: BinaryRule, a: Operand, b: Operand, out: Tensor, constants: UnaryConstants): Backward {
  const { alpha = 0, beta = 0 } = constants;
  const gradient = (side: 'a' | 'b', dy: Tensor, place: Place): Tensor | null => {
    const operand = side === 'a' ? a : b;
    const seen = (value: Operand): Operand => (rule.fused || isNum(value) ? value : widened(value));
    const g = rule[side]?.(dy, seen(a), seen(b), rule.fused ? out : widened(out), { alpha, beta }) ?? null;
    return g === null || isNum(operand) ? null : sumTo(g, operand.shape, place);
  };
  return (dy, needs, places) => [
    needs[0] ? gradient('a', dy, places[0]) : null,
    needs[1] ? gradient('b', dy, places[1]) : null,
  ];
}

const noConstants: UnaryConstants = {};

function binary(name: BinaryName, left: Operand, right: Operand, constants?: UnaryConstants): Tensor<Numeric>;
function binary(
  name: BinaryName,
  left: Operand,
  right: Operand,
  constants: UnaryConstants,
  result: 'i32',
): Tensor<'i32'>;
function binary(
  name: BinaryName,
  left: Operand,
  right: Operand,
  constants: UnaryConstants = noConstants,
  result?: 'i32',
): Tensor<Numeric> {
  const some = isNum(left) ? right : left;
  if (isNum(some)) {
    throw new AnnealError('E_ARGUMENT', `${name}: expected at least one tensor, received two numbers`);
  }
  // On the path of every call: nothing is made that is not needed.
  let dtype: Numeric = 'f32';
  let a = left;
  let b = right;
  if (!mayBeFloat(a) || !mayBeFloat(b)) {
    const promoted = promote(name, a, b);
    dtype = promoted.dtype;
    a = promoted.operands[0] ?? a;
    b = promoted.operands[1] ?? b;
  }
  const shape = broadcastShapes(name, shapeOf(a), shapeOf(b));
  const out = empty(shape, result ?? dtype, some.device);
  run(name, dtype, a, b, out, constants);
  const rule = binaryGrads[name];
  const inputs = [isNum(a) ? null : a, isNum(b) ? null : b];
  if (rule === undefined || !records(inputs)) return named(name, out);
  const backward = backwardOf(rule, a, b, out, constants);
  if (rule.saves === undefined) return record(name, out, inputs, backward);
  const saved = rule.saves === 'none' ? [] : inputs.filter((input) => input !== null);
  return record(name, out, inputs, backward, { saved });
}

function define(name: BinaryName): (a: Operand, b: Operand) => Tensor<Numeric> {
  return (a, b) => binary(name, a, b);
}

/** A truth value, as i32 0 or 1. */
function truth(name: BinaryName): (a: Operand, b: Operand) => Tensor<'i32'> {
  return (a, b) => binary(name, a, b, {}, 'i32');
}

/** a + b. */
export const add = define('add');
/** a - b. */
export const sub = define('sub');
/** a b. */
export const mul = define('mul');
/** a / b; between integers it truncates, and by 0 gives 0. */
export const div = define('div');

const powBinary = define('pow');

/** a^b. */
export function pow(a: Operand, b: Operand): Tensor<Numeric> {
  if (!isNum(a) && isFloat(a.dtype) && typeof b === 'number') return powScalar(a, b);
  // The rule takes the base's logarithm.
  const base = a instanceof Scalar && !isNum(b) ? where(equal(b, b), a, a) : a;
  return powBinary(base, b);
}

/** The larger of both; NaN wins, ties share the gradient. */
export const maximum = define('maximum');
/** The smaller of both; NaN wins, ties share the gradient. */
export const minimum = define('minimum');
/** (a - b)^2. */
export const squaredDifference = define('squared_difference');
/** a - b floor(a / b), with the divisor's sign. */
export const mod = define('mod');
/** a == b as i32 0 or 1. */
export const equal = truth('equal');
export const notEqual = truth('not_equal');
export const less = truth('less');
export const lessEqual = truth('less_equal');
export const greater = truth('greater');
export const greaterEqual = truth('greater_equal');
/** Whether both are non-zero, as i32 0 or 1. */
export const logicalAnd = truth('logical_and');
export const logicalOr = truth('logical_or');
export const logicalXor = truth('logical_xor');

/** Helpers of backward rules; v is the op's x or y, g the gradient that arrives (kernels/elementwise/elementwise.h). */
export const reluGrad = (y: Tensor, g: Tensor): Tensor => binary('relu_grad', y, g);
export const sigmoidGrad = (y: Tensor, g: Tensor): Tensor => binary('sigmoid_grad', y, g);
export const tanhGrad = (y: Tensor, g: Tensor): Tensor => binary('tanh_grad', y, g);
export const absGrad = (x: Tensor, g: Tensor): Tensor => binary('abs_grad', x, g);
export const leakyReluGrad = (x: Tensor, g: Tensor, alpha: number): Tensor =>
  binary('leaky_relu_grad', x, g, { alpha });
export const eluGrad = (x: Tensor, g: Tensor, alpha: number): Tensor => binary('elu_grad', x, g, { alpha });
export const geluGrad = (x: Tensor, g: Tensor): Tensor => binary('gelu_grad', x, g);
export const geluTanhGrad = (x: Tensor, g: Tensor): Tensor => binary('gelu_tanh_grad', x, g);
export const siluGrad = (x: Tensor, g: Tensor): Tensor => binary('silu_grad', x, g);
export const softplusGrad = (x: Tensor, g: Tensor): Tensor => binary('softplus_grad', x, g);
export const clipGrad = (x: Tensor, g: Tensor, alpha: number, beta: number): Tensor =>
  binary('clip_grad', x, g, { alpha, beta });

/**
 * One of these helpers in a rule, g the very gradient that the rule was given: it is overwritten where no one else views
 * it and no graph is recorded.
 */
export function overGradient(name: BinaryName, v: Tensor, g: Tensor, constants: UnaryConstants = {}): Tensor {
  if (gradEnabled() || g.storage.shared) return binary(name, v, g, constants);
  run(name, 'f32', v, g, g, constants);
  g.storage.version++;
  return g;
}

/** target += x, in place, off the tape. @throws E_SHAPE, E_ARGUMENT when a gradient flows through the target */
export function addInto(target: Tensor, x: Tensor): void {
  if (!sameShape(target.shape, x.shape)) {
    throw new AnnealError(
      'E_SHAPE',
      `addInto: expected shape ${formatShape(target.shape)}, received ${formatShape(x.shape)}`,
    );
  }
  if (target.node !== null)
    throw new AnnealError('E_ARGUMENT', 'addInto: expected a target that is not the result of a recorded op');
  const { dtype } = promote('addInto', target, x);
  run('add', dtype, target, x, target, {});
  target.storage.version++;
}

/** x stretched to a shape by NumPy's rules, as a copy. @throws E_SHAPE */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return reshape(x, shape);
  if (!sameShape(broadcastShapes('broadcastTo', x.shape, shape), shape)) {
    throw new AnnealError(
      'E_SHAPE',
      `broadcastTo: expected a shape that ${formatShape(x.shape)} stretches to, received ${formatShape(shape)}`,
    );
  }
  const dtype = commonDType('broadcastTo', [x]);
  const out = empty(shape, dtype, x.device);
  run('mul', dtype, x, 1, out, {});
  return record('broadcastTo', out, [x], (dy, _needs, [place]) => [sumTo(dy, x.shape, place)], { saved: [] });
}
