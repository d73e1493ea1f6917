// How strided_copy runs on WebGPU.
import { type ElementType, groupsFor, type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { stridedCopyParams } from './copy.js';

/** Items of a workgroup of 64 threads, four each. */
const ITEMS = 256;
const TILE = 32;
const U8 = 2;

const typeOf = (dtype: number): ElementType => (dtype === U8 ? 'u8' : 'u32');

/** The dimension along which the input is dense, where the output's dense one is the last and another: a transpose. */
function transposed(dims: readonly number[], inStrides: readonly number[], outStrides: readonly number[]): number {
  const last = dims.length - 1;
  if (last < 1 || outStrides[last] !== 1 || inStrides[last] === 1 || (dims[last] ?? 0) < 8) return -1;
  return dims.findIndex((dim, d) => d !== last && inStrides[d] === 1 && dim >= 8);
}

export const stridedCopyKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'strided_copy',
    struct: stridedCopyParams,
    texts: ['strided_copy/strided_copy.wgsl'],
    inputs: ['x'],
    outputs: ['out'],
    types: ({ dtype }) => ({ x: typeOf(dtype), out: typeOf(dtype) }),
    launches({ params: { dtype, rank, accumulate, ...views }, adapter }) {
      const dims = views.dims.slice(0, rank);
      if (dims.includes(0)) return [];
      const count = dims.reduce((a, b) => a * b, 1);
      const constants = { DTYPE: dtype, RANK: rank, ACCUMULATE: accumulate !== 0 };
      const fast = adapter.software ? -1 : transposed(dims, views.inStrides, views.outStrides);
      if (fast < 0)
        return [{ entry: 'copy_items', groups: groupsFor(count, ITEMS), constants: { ...constants, FAST: 0 } }];
      const [rows = 1, cols = 1] = [dims[fast], dims[rank - 1]];
      const tiles = Math.ceil(rows / TILE) * Math.ceil(cols / TILE) * (count / rows / cols);
      return [{ entry: 'copy_tiles', groups: groupsFor(tiles, 1), constants: { ...constants, FAST: fast } }];
    },
  }),
];
