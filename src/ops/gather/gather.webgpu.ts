// How gather and gather_backward run on WebGPU.
import { type ElementType, groupsFor, type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { dtypeCodes } from '../../tensor/dtype.js';
import { gatherBackwardParams, gatherParams } from './gather.js';

/** Threads of a workgroup. */
const THREADS = 64;

/**
 * Times four items that a thread copies: in software a workgroup costs microseconds, a GPU wants many. 8192 rows of 256 took 8.6 ms with 16, 16.1
 * with 1 (lavapipe, medians of five processes in turn, busy 2-core AMD EPYC Zen 5, 2026-11-25).
 */
const SOFTWARE_ROUNDS = 16;
const ROUNDS = 1;

/**
 * Threads that keep an adapter busy in backward, each of which reads all indices. In software few: 8192 rows of 256 into 4096 took 29, 25, 32, 38,
 * 52 ms with 64, 128, 256, 512, 1024, rows of 16 2.3, 3.9, 8.1, 9.2, 15 (lavapipe, busy 2-core AMD EPYC Zen 5, 2026-11-25).
 */
const SOFTWARE_WANTED = 128;
const WANTED = 65536;

const isBytes = (dtype: number): boolean => dtype === dtypeCodes.u8;
const typeOf = (dtype: number): ElementType => (isBytes(dtype) ? 'u8' : 'u32');

export const gatherKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'gather',
    struct: gatherParams,
    texts: ['gather/gather.wgsl'],
    inputs: ['table', 'indices'],
    outputs: ['out'],
    types: ({ dtype }) => ({ table: typeOf(dtype), indices: 'i32', out: typeOf(dtype) }),
    launches({ params: { dtype, width, count }, aligned, adapter }) {
      const rounds = adapter.software ? SOFTWARE_ROUNDS : ROUNDS;
      const whole = width % 4 === 0 && !isBytes(dtype);
      return [
        {
          entry: 'gather',
          groups: groupsFor(count * width, 4 * THREADS * rounds),
          constants: { DTYPE: dtype, ROUNDS: rounds, WHOLE: whole },
          code: `fn copy_four(to: u32, at: u32) { ${whole ? 'write4_out(to, read4_table(at));' : ''} }`,
          vectors: aligned && whole,
        },
      ];
    },
  }),
  webGpuKernel({
    op: 'gather_backward',
    struct: gatherBackwardParams,
    texts: ['gather/gather_backward.wgsl'],
    inputs: ['indices', 'dy'],
    outputs: ['dtable'],
    sums: ['dtable'],
    types: () => ({ indices: 'i32' }),
    launches({ params: { rows, width }, aligned, adapter }) {
      if (rows === 0 || width === 0) return [];
      const wanted = adapter.software ? SOFTWARE_WANTED : WANTED;
      const quads = Math.ceil(width / 4);
      const each = Math.ceil(rows / Math.min(Math.ceil(wanted / quads), rows));
      return [
        {
          entry: 'gather_backward',
          groups: groupsFor(quads * Math.ceil(rows / each), THREADS),
          constants: { WANTED: wanted },
          vectors: aligned && width % 4 === 0,
        },
      ];
    },
  }),
];
