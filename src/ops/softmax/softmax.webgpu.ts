// How softmax and its backward run on WebGPU.
import { type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { rowsLaunch, rowsTexts } from '../rows.webgpu.js';
import { softmaxBackwardParams, softmaxParams } from './softmax.js';

export const softmaxKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'softmax',
    struct: softmaxParams,
    texts: [...rowsTexts, 'softmax/softmax.wgsl'],
    inputs: ['x'],
    outputs: ['y'],
    launches: (call) =>
      call.params.cols === 0 ? [] : [rowsLaunch('softmax', call.params, call, { LOG: call.params.log !== 0 })],
  }),
  webGpuKernel({
    op: 'softmax_backward',
    struct: softmaxBackwardParams,
    texts: [...rowsTexts, 'softmax/softmax_backward.wgsl'],
    inputs: ['y', 'dy'],
    outputs: ['dx'],
    launches: (call) =>
      call.params.cols === 0 ? [] : [rowsLaunch('softmax_backward', call.params, call, { LOG: call.params.log !== 0 })],
  }),
];
