// How softmax_cross_entropy and its backward run on WebGPU.
import { type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { rowsLaunch, rowsTexts } from '../rows.webgpu.js';
import { softmaxCrossEntropyBackwardParams, softmaxCrossEntropyParams } from './softmax_cross_entropy.js';

const coefficients = 'softmax_cross_entropy/coefficients.wgsl';
const types = (): { readonly target: 'u32' } => ({ target: 'u32' });

interface Rows {
  readonly dense: number;
  readonly labelSmoothing: number;
  readonly reduction: number;
}
const constantsOf = ({ dense, labelSmoothing, reduction }: Rows): Readonly<Record<string, number | boolean>> => ({
  DENSE: dense !== 0,
  SMOOTH: labelSmoothing > 0,
  REDUCTION: reduction,
});

export const softmaxCrossEntropyKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'softmax_cross_entropy',
    struct: softmaxCrossEntropyParams,
    texts: [...rowsTexts, coefficients, 'softmax_cross_entropy/softmax_cross_entropy.wgsl'],
    inputs: ['logits', 'target', 'classWeights'],
    outputs: ['loss', 'normalizers', 'weight', 'divisor', 'dlogits'],
    types,
    launches(call) {
      const { rows, classes: cols, reduction } = call.params;
      const constants = constantsOf(call.params);
      const loss = rowsLaunch('loss', { rows, cols }, call, constants);
      if (reduction === 0) return [loss];
      const total = {
        ...loss,
        entry: call.adapter.software ? 'total_thread' : 'total_group',
        groups: [1, 1, 1],
      } as const;
      return call.has('dlogits')
        ? [loss, total, rowsLaunch('gradient', { rows, cols }, call, constants)]
        : [loss, total];
    },
    scratch: ({ params: { rows, reduction }, has }) => ({
      row_loss: reduction === 0 || has('dlogits') ? 0 : Math.max(rows, 1),
    }),
  }),
  webGpuKernel({
    op: 'softmax_cross_entropy_backward',
    struct: softmaxCrossEntropyBackwardParams,
    texts: [...rowsTexts, coefficients, 'softmax_cross_entropy/softmax_cross_entropy_backward.wgsl'],
    inputs: ['logits', 'normalizers', 'target', 'classWeights', 'dLoss', 'divisor'],
    outputs: ['dlogits'],
    types,
    launches: (call) => [
      rowsLaunch('gradient', { rows: call.params.rows, cols: call.params.classes }, call, constantsOf(call.params)),
    ],
  }),
];
