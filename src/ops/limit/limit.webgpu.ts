// How the limit loops run on WebGPU.
import { groupF32Texts, groupsFor, type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { FMA_CHAINS, limitKinds, limitParams } from './limit.js';

const LANES = 64;
/** vec4s of chains a thread: enough to hide the latency of a multiply-add; 3 to 6 were alike on lavapipe, 1 and 2 slower. */
const VECTORS = 4;

export const limitKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'limit',
    struct: limitParams,
    texts: [...groupF32Texts, 'limit/limit.wgsl'],
    inputs: ['x', 'y'],
    outputs: ['out', 'out_1', 'out_2', 'out_3'],
    launches({ params: { kind, n, block }, adapter, aligned }) {
      // As in the optimizers: many a thread where a workgroup costs microseconds, few on a GPU.
      const ROUNDS = adapter.software ? 64 : 4;
      const constants = { KIND: kind, ROUNDS, VECTORS };
      switch (limitKinds[kind]) {
        case 'fma': {
          const groups = groupsFor(n * FMA_CHAINS, LANES * 4 * VECTORS);
          return [{ entry: 'fma_chains', groups, constants, vectors: aligned }];
        }
        case 'read': {
          const groups = groupsFor(Math.ceil(n / block), 1);
          return [{ entry: 'read_blocks', groups, constants, vectors: aligned && block % 4 === 0 }];
        }
        default:
          return [{ entry: 'stream', groups: groupsFor(n, 4 * LANES * ROUNDS), constants, vectors: aligned }];
      }
    },
  }),
];
