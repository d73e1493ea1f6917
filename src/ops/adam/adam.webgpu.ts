// How adam runs on WebGPU.
import { type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { arenaLaunches, arenaScratch, arenaTexts, arenaTypes } from '../sgd_momentum_ema/arena.webgpu.js';
import { adamParams } from './adam.js';

export const adamKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'adam',
    struct: adamParams,
    texts: [...arenaTexts, 'adam/adam.wgsl'],
    inputs: ['grads', 'segments', 'normSquared'],
    outputs: ['params', 'm', 'v', 'vMax', 'ema', 'stats'],
    types: arenaTypes,
    launches: arenaLaunches,
    scratch: arenaScratch,
  }),
];
