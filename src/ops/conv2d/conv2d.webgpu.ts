// How convolution runs on WebGPU.
import {
  groupsFor,
  type KernelCall,
  type Launch,
  type WebGpuKernel,
  webGpuKernel,
} from '../../backend/webgpu/kernel.js';
import { type Conv2dGeometry, conv2dBackwardDataParams, conv2dParams } from './conv2d.js';

const THREADS = 64;
/** Rows and columns that a thread of the register variants holds, and a workgroup of the tiled ones: product.wgsl. */
const REGISTERS = { rows: 6, columns: 4, threads: 8 };
const TILE = 64;

type Call = KernelCall<Conv2dGeometry>;

/** A product of `rows` positions in each of `kinds` kinds, `columns` channels of the result and `depth` of the source, in each group. */
function product(
  { params: { groups }, aligned, adapter }: Call,
  { rows, kinds, columns, depth }: Readonly<Record<'rows' | 'kinds' | 'columns' | 'depth', number>>,
): Launch {
  const constants = { EVEN: aligned && columns % 4 === 0, FOUR: aligned && depth % 4 === 0 };
  const vectors = constants.EVEN && constants.FOUR;
  if (!adapter.software) {
    const tiles = Math.ceil(rows / TILE) * Math.ceil(columns / TILE);
    return {
      entry: 'tiled',
      groups: groupsFor(tiles * kinds * groups, 1),
      constants: { ...constants, LANES: 8 },
      vectors,
    };
  }
  const wanted = Math.ceil(columns / REGISTERS.columns);
  const lanes = [1, 2, 4].find((each) => each >= wanted) ?? REGISTERS.threads;
  const parts =
    Math.ceil(rows / ((REGISTERS.threads / lanes) * REGISTERS.rows)) * Math.ceil(columns / (REGISTERS.columns * lanes));
  return {
    entry: 'registers',
    groups: groupsFor(parts * kinds * groups, 1),
    constants: { ...constants, LANES: lanes },
    vectors,
  };
}

export const conv2dKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'conv2d',
    struct: conv2dParams,
    texts: ['conv2d/forward.wgsl', 'conv2d/product.wgsl'],
    inputs: ['x', 'w', 'bias'],
    outputs: ['y'],
    launches(call) {
      const { n, c, oh, ow, oc, groups } = call.params;
      return [product(call, { rows: n * oh * ow, kinds: 1, columns: oc / groups, depth: c / groups })];
    },
  }),
  webGpuKernel({
    op: 'conv2d_backward_data',
    struct: conv2dBackwardDataParams,
    texts: ['conv2d/backward_data.wgsl', 'conv2d/product.wgsl'],
    inputs: ['dy', 'w'],
    outputs: ['dx'],
    scratch({ params: { c, oc, kh, kw, groups } }) {
      return { turned: ((kh * kw * c) / groups) * oc };
    },
    launches(call) {
      const { n, h, w, c, oc, kh, kw, strideH, strideW, groups } = call.params;
      if (n * h * w === 0) return [];
      const rows = n * Math.ceil(h / strideH) * Math.ceil(w / strideW);
      const kinds = Math.min(strideH, h) * Math.min(strideW, w);
      const main = product(call, { rows, kinds, columns: c / groups, depth: oc / groups });
      const { constants = {}, vectors = false } = main;
      return [{ entry: 'turn', groups: groupsFor(((kh * kw * c) / groups) * oc, THREADS), constants, vectors }, main];
    },
  }),
];
