// How pooling runs on WebGPU.
import {
  groupsFor,
  type KernelCall,
  type Launch,
  type WebGpuKernel,
  webGpuKernel,
} from '../../backend/webgpu/kernel.js';
import {
  avgPool2dBackwardParams,
  avgPool2dParams,
  maxPool2dBackwardParams,
  maxPool2dParams,
  type PoolGeometry,
} from './pool2d.js';

const THREADS = 64;

const forward = 'each output' as const;
const backward = 'each element of the image' as const;

/** A thread for each four channels of an element, or for each channel where they do not come by fours. */
function launches(
  entry: string,
  makes: typeof forward | typeof backward,
): (call: KernelCall<PoolGeometry>) => readonly Launch[] {
  return ({ params: { n, h, w, c, oh, ow }, aligned }) => {
    const four = aligned && c % 4 === 0;
    const pixels = n * (makes === forward ? oh * ow : h * w);
    const groups = groupsFor((pixels * c) / (four ? 4 : 1), THREADS);
    return [{ entry, groups, constants: { FOUR: four }, vectors: four }];
  };
}

const texts = (name: string): readonly string[] => ['pool2d/pool2d.wgsl', `pool2d/${name}.wgsl`];

export const pool2dKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'max_pool2d',
    struct: maxPool2dParams,
    texts: texts('max_pool2d'),
    inputs: ['x'],
    outputs: ['y', 'argmax'],
    types: () => ({ argmax: 'i32' }),
    launches: launches('max_forward', forward),
  }),
  webGpuKernel({
    op: 'max_pool2d_backward',
    struct: maxPool2dBackwardParams,
    texts: texts('max_pool2d_backward'),
    inputs: ['dy', 'argmax'],
    outputs: ['dx'],
    types: () => ({ argmax: 'i32' }),
    launches: launches('max_backward', backward),
  }),
  webGpuKernel({
    op: 'avg_pool2d',
    struct: avgPool2dParams,
    texts: texts('avg_pool2d'),
    inputs: ['x'],
    outputs: ['y'],
    launches: launches('average_forward', forward),
  }),
  webGpuKernel({
    op: 'avg_pool2d_backward',
    struct: avgPool2dBackwardParams,
    texts: texts('avg_pool2d_backward'),
    inputs: ['dy'],
    outputs: ['dx'],
    launches: launches('average_backward', backward),
  }),
];
