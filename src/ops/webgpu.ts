// The ops that run on WebGPU.
import type { OpName } from '../backend/backend.js';
import type { WebGpuKernel } from '../backend/webgpu/kernel.js';
import { elementwiseKernels } from './elementwise/elementwise.webgpu.js';
import { pool2dKernels } from './pool2d/pool2d.webgpu.js';
import { sgemmKernels } from './sgemm/sgemm.webgpu.js';

export const webGpuKernels: Readonly<Partial<Record<OpName, WebGpuKernel>>> = Object.fromEntries(
  [...elementwiseKernels, ...pool2dKernels, ...sgemmKernels].map((kernel) => [kernel.op, kernel]),
);
