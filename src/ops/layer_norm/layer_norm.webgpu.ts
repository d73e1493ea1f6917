// How layer_norm and layer_norm_backward run on WebGPU.
import {
  groupsFor,
  type KernelCall,
  type Launch,
  type WebGpuKernel,
  webGpuKernel,
} from '../../backend/webgpu/kernel.js';
import { rowsLaunch, rowsTexts } from '../rows.webgpu.js';
import { layerNormBackwardParams, layerNormParams } from './layer_norm.js';

/** Threads of a workgroup of the column sums. */
const THREADS = 64;

/** As in the text. */
const LEAST_ROWS = 32;
const MOST_BLOCKS = 128;

/** Of the rows, for the column sums; one where there are none, which then writes zeros. */
function blocksOf({ rows }: { readonly rows: number }): number {
  return Math.max(1, Math.ceil(rows / Math.max(LEAST_ROWS, Math.ceil(rows / MOST_BLOCKS))));
}

type Sizes = { readonly rows: number; readonly cols: number };
const hasSums = ({ has, params }: KernelCall<Sizes>): boolean => (has('dgamma') || has('dbeta')) && params.cols > 0;

export const layerNormKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'layer_norm',
    struct: layerNormParams,
    texts: [...rowsTexts, 'layer_norm/layer_norm.wgsl'],
    inputs: ['x', 'gamma', 'beta'],
    outputs: ['y', 'mean', 'rstd'],
    launches: (call) => [rowsLaunch('layer_norm', call.params, call)],
  }),
  webGpuKernel({
    op: 'layer_norm_backward',
    struct: layerNormBackwardParams,
    texts: [...rowsTexts, 'layer_norm/layer_norm_backward.wgsl'],
    inputs: ['dy', 'x', 'gamma', 'mean', 'rstd'],
    outputs: ['dx', 'dgamma', 'dbeta'],
    launches(call): readonly Launch[] {
      const { params } = call;
      if (params.cols === 0) return [];
      const blocks = blocksOf(params);
      const rows: Launch = {
        ...rowsLaunch('layer_norm_backward', params, call, { BLOCKED: blocks > 1 }),
        uses: ['dy', 'x', 'gamma', 'mean', 'rstd', 'dx'],
      };
      if (!hasSums(call)) return [rows];
      const quads = Math.ceil(params.cols / 4);
      const ends = blocks > 1 ? ['partial'] : ['dgamma', 'dbeta'];
      const sums: Launch = {
        ...rows,
        entry: 'sums_thread',
        groups: groupsFor(quads * blocks, THREADS),
        uses: ['dy', 'x', 'mean', 'rstd', ...ends],
      };
      if (blocks === 1) return [sums, rows];
      const fold: Launch = {
        ...rows,
        entry: 'fold_thread',
        groups: groupsFor(quads, THREADS),
        uses: ['partial', 'dgamma', 'dbeta'],
      };
      return [sums, fold, rows];
    },
    scratch(call) {
      const blocks = blocksOf(call.params);
      return { partial: blocks > 1 && hasSums(call) ? 2 * blocks * call.params.cols : 0 };
    },
  }),
];
