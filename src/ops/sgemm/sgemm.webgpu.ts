// How sgemm runs on WebGPU.
import type { DecodedOf } from '../../backend/params.js';
import {
  groupsFor,
  type KernelCall,
  type Launch,
  type WebGpuKernel,
  webGpuKernel,
} from '../../backend/webgpu/kernel.js';
import { sgemmParams } from './sgemm.js';

/** Rows and columns of C that a workgroup of each variant makes. */
const registers = { rows: 8, columns: 8 * 16 };
const blocks: Readonly<Record<string, typeof registers>> = {
  registers,
  tiled4: { rows: 64, columns: 64 },
  tiled8: { rows: 128, columns: 128 },
};
/** Rows of C from which it pays to bring B into rows of fours first. */
const WORTH_PACKING = 16;

/** Rows or columns up to which a product is thin: a tile of 64 is half empty. */
const THIN = 32;

const sampleOf = (m: number, n: number, k: number) => ({
  params: { batch: 1, m, n, k },
  inputs: [m * k, k * n],
  outputs: [m * n],
});

type Call = KernelCall<DecodedOf<typeof sgemmParams>>;

const isEven = ({ params: { n, transB, strideB }, aligned }: Call): boolean =>
  aligned && n % 4 === 0 && strideB % 4 === 0 && transB === 0;
const isPacked = (call: Call): boolean =>
  call.variant === 'registers' && !isEven(call) && call.params.m >= WORTH_PACKING;
const packedRow = (n: number): number => Math.ceil(n / 4) * 4;

export const sgemmKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'sgemm',
    struct: sgemmParams,
    texts: ['sgemm/sgemm.wgsl'],
    inputs: ['a', 'b', 'bias'],
    outputs: ['c'],
    variants: {
      names: Object.keys(blocks),
      gpu: 'tiled8',
      software: 'registers',
      classOf: ({ m, n }) => (Math.min(m, n) <= THIN ? 'thin' : 'square'),
      samples: { square: sampleOf(384, 384, 384), thin: sampleOf(THIN, 256, 768) },
    },
    launches(call) {
      const { batch, m, n, k, transA, transB } = call.params;
      if (batch * m * n === 0) return [];
      const packed = isPacked(call);
      const shared = {
        constants: { TA: transA !== 0, TB: transB !== 0, EVEN: isEven(call), PACKED: packed },
        vectors: isEven(call),
      };
      const { rows, columns } = blocks[call.variant] ?? registers;
      const groups: Launch['groups'] = [Math.ceil(n / columns), Math.ceil(m / rows), batch];
      const product = { entry: call.variant, groups, ...shared };
      if (!packed) return [product];
      return [{ entry: 'pack_b', groups: groupsFor((batch * k * packedRow(n)) / 4, 64), ...shared }, product];
    },
    scratch: (call) => ({ packed: isPacked(call) ? call.params.batch * call.params.k * packedRow(call.params.n) : 0 }),
  }),
];
