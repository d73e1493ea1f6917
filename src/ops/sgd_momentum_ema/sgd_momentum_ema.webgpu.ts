// How sgd_momentum_ema runs on WebGPU.
import { type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { arenaLaunches, arenaScratch, arenaTexts, arenaTypes } from './arena.webgpu.js';
import { sgdMomentumEmaParams } from './sgd_momentum_ema.js';

export const sgdMomentumEmaKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'sgd_momentum_ema',
    struct: sgdMomentumEmaParams,
    texts: [...arenaTexts, 'sgd_momentum_ema/sgd_momentum_ema.wgsl'],
    inputs: ['grads', 'segments', 'normSquared'],
    outputs: ['params', 'momentum', 'ema', 'stats'],
    types: arenaTypes,
    launches: arenaLaunches,
    scratch: arenaScratch,
  }),
];
