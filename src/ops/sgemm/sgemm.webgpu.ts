// How sgemm runs on WebGPU.
import { type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { sgemmParams } from './sgemm.js';

/** Rows and columns of C that a workgroup of each variant makes. */
const REGISTERS = { rows: 6, columns: 8 * 16 };
const TILED = { rows: 64, columns: 64 };

export const sgemmKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'sgemm',
    struct: sgemmParams,
    texts: ['sgemm/sgemm.wgsl'],
    inputs: ['a', 'b', 'bias'],
    outputs: ['c'],
    launches({ params: { batch, m, n, transA, transB, strideB }, aligned, adapter }) {
      if (batch * m * n === 0) return [];
      const even = aligned && n % 4 === 0 && strideB % 4 === 0;
      const { rows, columns } = adapter.software ? REGISTERS : TILED;
      return [
        {
          entry: adapter.software ? 'registers' : 'tiled',
          groups: [Math.ceil(n / columns), Math.ceil(m / rows), batch],
          constants: { TA: transA !== 0, TB: transB !== 0, EVEN: even },
          vectors: even,
        },
      ];
    },
  }),
];
