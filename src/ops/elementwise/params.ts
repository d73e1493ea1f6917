// Parameter structs of the elementwise ops (kernels/elementwise/elementwise.h) and the broadcasting they share.
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { formatShape, type Shape, sameShape, sizeOf } from '../../tensor/shape.js';

const MAX_RANK = 6;

export const unaryParams = struct('unary', {
  code: 'u32',
  dtype: 'u32',
  count: 'u32',
  alpha: 'f32',
  beta: 'f32',
  intAlpha: 'i32',
  intBeta: 'i32',
});

export const binaryParams = struct('binary', {
  code: 'u32',
  dtype: 'u32',
  rank: 'u32',
  dims: ['u32', MAX_RANK],
  strideA: ['u32', MAX_RANK],
  strideB: ['u32', MAX_RANK],
  scalar: 'f32',
  intScalar: 'i32',
  alpha: 'f32',
  beta: 'f32',
});

export const whereParams = struct('where', {
  dtype: 'u32',
  rank: 'u32',
  dims: ['u32', MAX_RANK],
  strideCondition: ['u32', MAX_RANK],
  strideA: ['u32', MAX_RANK],
  strideB: ['u32', MAX_RANK],
  scalarA: 'f32',
  scalarB: 'f32',
  intScalarA: 'i32',
  intScalarB: 'i32',
});

export const castParams = struct('cast', { from: 'u32', to: 'u32', count: 'u32', scale: 'f32', offset: 'f32' });

export const fillParams = struct('fill', { dtype: 'u32', count: 'u32', value: 'f32', intValue: 'i32' });

/** Codes in the order of the C++ enums. */
export const unaryCodes = [
  'neg',
  'abs',
  'sign',
  'square',
  'sqrt',
  'rsqrt',
  'reciprocal',
  'exp',
  'expm1',
  'log',
  'log1p',
  'sin',
  'cos',
  'tanh',
  'sigmoid',
  'relu',
  'leaky_relu',
  'elu',
  'gelu',
  'gelu_tanh',
  'silu',
  'softplus',
  'floor',
  'ceil',
  'round',
  'clip',
  'logical_not',
  'is_nan',
  'is_finite',
  'pow_scalar',
  'affine',
  'erf',
] as const;

export type UnaryName = (typeof unaryCodes)[number];

export const binaryCodes = [
  'add',
  'sub',
  'mul',
  'div',
  'pow',
  'maximum',
  'minimum',
  'squared_difference',
  'mod',
  'equal',
  'not_equal',
  'less',
  'less_equal',
  'greater',
  'greater_equal',
  'logical_and',
  'logical_or',
  'logical_xor',
  'relu_grad',
  'sigmoid_grad',
  'tanh_grad',
  'abs_grad',
  'leaky_relu_grad',
  'elu_grad',
  'gelu_grad',
  'gelu_tanh_grad',
  'silu_grad',
  'softplus_grad',
  'clip_grad',
] as const;

export type BinaryName = (typeof binaryCodes)[number];

export const unaryCode = new Map<UnaryName, number>(unaryCodes.map((name, i) => [name, i]));
export const binaryCode = new Map<BinaryName, number>(binaryCodes.map((name, i) => [name, i]));

/** The loops of a broadcasting op: dimensions, and for each operand its strides in elements, 0 where it is stretched. */
export interface Loops {
  readonly dims: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

const unit: readonly number[] = [1];
const still: readonly number[] = [0];
const none: readonly number[] = [];

/** `broadcastLoops` of two operands; at once where each has the result's shape or a single item, as nearly all have. */
export function pairLoops(op: string, shape: Shape, a: Shape, b: Shape): Loops {
  const fullA = sameShape(a, shape);
  const fullB = sameShape(b, shape);
  if (!(fullA || sizeOf(a) === 1) || !(fullB || sizeOf(b) === 1)) return broadcastLoops(op, shape, [a, b]);
  const size = sizeOf(shape);
  if (size === 1) return { dims: none, strides: [none, none] };
  return { dims: [size], strides: [fullA ? unit : still, fullB ? unit : still] };
}

/**
 * The fewest loops over `shape` that visit operands of the given shapes; neighbouring dimensions that all operands step
 * through evenly become one. @throws E_SHAPE when more than 6 remain
 */
export function broadcastLoops(op: string, shape: Shape, operands: readonly Shape[]): Loops {
  const dims: number[] = [];
  const strides: number[][] = operands.map(() => []);
  const running = operands.map(() => 1);
  // From the last dimension to the first; the lists are reversed at the end.
  for (let i = shape.length - 1; i >= 0; i--) {
    const dim = shape[i] ?? 1;
    const steps = operands.map((operand, o) => {
      const size = operand[i - shape.length + operand.length] ?? 1;
      const step = size === 1 ? 0 : (running[o] ?? 0);
      running[o] = (running[o] ?? 0) * size;
      return step;
    });
    if (dim === 1) continue;
    const last = dims.length - 1;
    const inner = dims[last];
    if (inner !== undefined && steps.every((step, o) => step === (strides[o]?.[last] ?? 0) * inner)) {
      dims[last] = inner * dim;
      continue;
    }
    dims.push(dim);
    steps.forEach((step, o) => {
      strides[o]?.push(step);
    });
  }
  if (dims.length > MAX_RANK) {
    throw new AnnealError(
      'E_SHAPE',
      `${op}: expected operands that broadcast over at most ${MAX_RANK} dimensions, received ${formatShape(shape)}`,
    );
  }
  return { dims: dims.reverse(), strides: strides.map((list) => list.reverse()) };
}
