// How rmsprop runs on WebGPU.
import { type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { arenaLaunches, arenaScratch, arenaTexts, arenaTypes } from '../sgd_momentum_ema/arena.webgpu.js';
import { rmspropParams } from './rmsprop.js';

export const rmspropKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'rmsprop',
    struct: rmspropParams,
    texts: [...arenaTexts, 'rmsprop/rmsprop.wgsl'],
    inputs: ['grads', 'segments', 'normSquared'],
    outputs: ['params', 'v', 'meanGrad', 'momentum', 'ema', 'stats'],
    types: arenaTypes,
    launches: arenaLaunches,
    scratch: arenaScratch,
  }),
];
