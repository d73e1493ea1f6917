// How the random ops run on WebGPU.
import {
  type AdapterTraits,
  groupsFor,
  type Launch,
  type WebGpuKernel,
  webGpuKernel,
} from '../../backend/webgpu/kernel.js';
import { dropoutParams, randomParams } from './random.js';

const generator = ['common/philox.wgsl', 'common/two_float.wgsl'] as const;

/** Blocks of four elements a thread: in software, where a workgroup costs microseconds, a few more; past 4 it makes no difference on lavapipe. */
const blocksOf = ({ software }: AdapterTraits): number => (software ? 4 : 2);

function launch(
  entry: string,
  n: number,
  adapter: AdapterTraits,
  vectors: boolean,
  more: Record<string, number>,
): Launch {
  const BLOCKS = blocksOf(adapter);
  return { entry, groups: groupsFor(n, 4 * 64 * BLOCKS), constants: { BLOCKS, ...more }, vectors };
}

export const randomKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'random',
    struct: randomParams,
    texts: [...generator, 'random/random.wgsl'],
    inputs: [],
    outputs: ['y'],
    launches: ({ params: { n, kind }, adapter, aligned }) => [launch('random', n, adapter, aligned, { KIND: kind })],
  }),
  webGpuKernel({
    op: 'dropout',
    struct: dropoutParams,
    texts: [...generator, 'random/dropout.wgsl'],
    inputs: ['x'],
    outputs: ['y'],
    launches: ({ params: { n }, adapter, aligned }) => [launch('dropout', n, adapter, aligned, {})],
  }),
];
