// How the elementwise ops run on WebGPU.
import { type ElementType, groupsFor, type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { binaryParams, castParams, fillParams, unaryParams, whereParams } from './params.js';

/** Items of a workgroup of 64 threads, four each. */
const DENSE = 256;
const STRIDED = 64;

const functions = 'elementwise/functions.wgsl';
const elementTypes: readonly ElementType[] = ['u32', 'u32', 'u8'];
const elementOf = (dtype: number): ElementType => elementTypes[dtype] ?? 'u32';
const product = (dims: readonly number[], rank: number): number => dims.slice(0, rank).reduce((a, b) => a * b, 1);

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
        constants: { CODE: code, DTYPE: dtype },
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
        CODE: code,
        DTYPE: dtype,
        RANK: rank,
        STEP_A: rank === 1 && steps[0] === 1,
        STEP_B: rank === 1 && steps[1] === 1,
      };
      const count = product(dims, rank);
      if (dense) return [{ entry: 'binary_dense', groups: groupsFor(count, DENSE), constants, vectors: aligned }];
      return [{ entry: 'binary_strided', groups: groupsFor(count, STRIDED), constants }];
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
