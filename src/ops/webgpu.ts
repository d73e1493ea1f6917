// The ops that run on WebGPU.
import type { OpName } from '../backend/backend.js';
import type { WebGpuKernel } from '../backend/webgpu/kernel.js';
import { adamKernels } from './adam/adam.webgpu.js';
import { batchNormKernels } from './batch_norm/batch_norm.webgpu.js';
import { conv2dKernels } from './conv2d/conv2d.webgpu.js';
import { depthwiseConv2dKernels } from './depthwise_conv2d/depthwise_conv2d.webgpu.js';
import { elementwiseKernels } from './elementwise/elementwise.webgpu.js';
import { elementwiseChainKernels } from './elementwise_chain/elementwise_chain.webgpu.js';
import { gatherKernels } from './gather/gather.webgpu.js';
import { layerNormKernels } from './layer_norm/layer_norm.webgpu.js';
import { limitKernels } from './limit/limit.webgpu.js';
import { pool2dKernels } from './pool2d/pool2d.webgpu.js';
import { randomKernels } from './random/random.webgpu.js';
import { reduceKernels } from './reduce/reduce.webgpu.js';
import { rmspropKernels } from './rmsprop/rmsprop.webgpu.js';
import { sgdMomentumEmaKernels } from './sgd_momentum_ema/sgd_momentum_ema.webgpu.js';
import { sgemmKernels } from './sgemm/sgemm.webgpu.js';
import { softmaxKernels } from './softmax/softmax.webgpu.js';
import { softmaxCrossEntropyKernels } from './softmax_cross_entropy/softmax_cross_entropy.webgpu.js';
import { stridedCopyKernels } from './strided_copy/strided_copy.webgpu.js';

export const webGpuKernels: Readonly<Partial<Record<OpName, WebGpuKernel>>> = Object.fromEntries(
  [
    ...adamKernels,
    ...batchNormKernels,
    ...conv2dKernels,
    ...depthwiseConv2dKernels,
    ...elementwiseKernels,
    ...elementwiseChainKernels,
    ...gatherKernels,
    ...layerNormKernels,
    ...limitKernels,
    ...pool2dKernels,
    ...randomKernels,
    ...rmspropKernels,
    ...sgdMomentumEmaKernels,
    ...sgemmKernels,
    ...reduceKernels,
    ...softmaxKernels,
    ...softmaxCrossEntropyKernels,
    ...stridedCopyKernels,
  ].map((kernel) => [kernel.op, kernel]),
);
