// How the elementwise ops run on WebGPU.
import { type ElementType, groupsFor, type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { dtypeCodes } from '../../tensor/dtype.js';
import { binaryCodes, binaryParams, castParams, fillParams, unaryCodes, unaryParams, whereParams } from './params.js';

/** Items of a workgroup of 64 threads, four each. */
const DENSE = 256;
const STRIDED = 64;

const functions = 'elementwise/functions.wgsl';
const elementTypes: readonly ElementType[] = ['u32', 'u32', 'u8'];
const elementOf = (dtype: number): ElementType => elementTypes[dtype] ?? 'u32';
const product = (dims: readonly number[], rank: number): number => dims.slice(0, rank).reduce((a, b) => a * b, 1);

/** Functions that do not give the f32 they take; the rest is called by its name in functions.wgsl. */
const truths: Readonly<Record<string, string>> = {
  logical_not: 'truth(is_zero(x))',
  is_nan: 'truth(is_nan(x))',
  is_finite: 'truth(is_finite(x))',
};

/** `unary_word` for a function and a dtype: what a shader does not call is not compiled. */
function unaryWord(code: number, dtype: number): string {
  const name = unaryCodes[code] ?? 'neg';
  const float = truths[name] ?? `bitcast<u32>(unary_${name}(x, params.alpha, params.beta))`;
  const integer =
    name === 'logical_not' ? 'truth(x == 0)' : `bitcast<u32>(int_unary_${name}(x, params.intAlpha, params.intBeta))`;
  const [type, value] = dtype === dtypeCodes.i32 ? ['i32', integer] : ['f32', float];
  return `fn unary_word(word: u32) -> u32 { let x = bitcast<${type}>(word); return ${value}; }`;
}

const comparisons = new Set<string>(
  binaryCodes.slice(binaryCodes.indexOf('equal'), binaryCodes.indexOf('logical_xor') + 1),
);

/** `binary_word`, likewise. */
function binaryWord(code: number, dtype: number): string {
  const name = binaryCodes[code] ?? 'add';
  const float = comparisons.has(name)
    ? `truth(compare_${name}(x, y))`
    : `bitcast<u32>(binary_${name}(x, y, params.alpha, params.beta))`;
  const [type, value] = dtype === dtypeCodes.i32 ? ['i32', `bitcast<u32>(int_binary_${name}(x, y))`] : ['f32', float];
  return `fn binary_word(a: u32, b: u32) -> u32 { let x = bitcast<${type}>(a); let y = bitcast<${type}>(b); return ${value}; }`;
}

export const elementwiseKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'unary',
    struct: unaryParams,
    texts: [functions, 'elementwise/unary.wgsl'],
    inputs: ['x'],
    outputs: ['out'],
    types: () => ({ x: 'u32', out: 'u32' }),
    launches: ({ params: { code, dtype, count }, aligned }) => [
      {
        entry: 'unary',
        groups: groupsFor(count, DENSE),
        code: unaryWord(code, dtype),
        vectors: aligned,
      },
    ],
  }),
  webGpuKernel({
    op: 'binary',
    struct: binaryParams,
    texts: [functions, 'elementwise/binary.wgsl'],
    inputs: ['a', 'b'],
    outputs: ['out'],
    types: () => ({ a: 'u32', b: 'u32', out: 'u32' }),
    launches({ params: { code, dtype, rank, dims, strideA, strideB }, aligned }) {
      const steps = [strideA[0], strideB[0]];
      const dense = rank === 0 || (rank === 1 && steps.every((step) => step === 0 || step === 1));
      const constants = {
        DTYPE: dtype,
        RANK: rank,
        STEP_A: rank === 1 && steps[0] === 1,
        STEP_B: rank === 1 && steps[1] === 1,
      };
      const count = product(dims, rank);
      const shared = { constants, code: binaryWord(code, dtype) };
      if (dense) return [{ entry: 'binary_dense', groups: groupsFor(count, DENSE), ...shared, vectors: aligned }];
      return [{ entry: 'binary_strided', groups: groupsFor(count, STRIDED), ...shared }];
    },
  }),
  webGpuKernel({
    op: 'where',
    struct: whereParams,
    texts: ['elementwise/where.wgsl'],
    inputs: ['condition', 'a', 'b'],
    outputs: ['out'],
    types: () => ({ condition: 'u32', a: 'u32', b: 'u32', out: 'u32' }),
    launches: ({ params: { dtype, rank, dims } }) => [
      {
        entry: 'where_strided',
        groups: groupsFor(product(dims, rank), STRIDED),
        constants: { DTYPE: dtype, RANK: rank },
      },
    ],
  }),
  webGpuKernel({
    op: 'cast',
    struct: castParams,
    texts: ['elementwise/cast.wgsl'],
    inputs: ['x'],
    outputs: ['out'],
    types: ({ from, to }) => ({ x: elementOf(from), out: elementOf(to) }),
    launches: ({ params: { from, to, count } }) => [
      { entry: 'cast_items', groups: groupsFor(count, DENSE), constants: { FROM: from, TO: to } },
    ],
  }),
  webGpuKernel({
    op: 'fill',
    struct: fillParams,
    texts: ['elementwise/fill.wgsl'],
    inputs: [],
    outputs: ['out'],
    types: ({ dtype }) => ({ out: elementOf(dtype) }),
    launches: ({ params: { dtype, count } }) => [
      { entry: 'fill', groups: groupsFor(count, DENSE), constants: { DTYPE: dtype } },
    ],
  }),
];
