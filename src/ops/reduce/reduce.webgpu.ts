// How reduce runs on WebGPU.
import { groupsFor, groupText, type Launch, type WebGpuKernel, webGpuKernel } from '../../backend/webgpu/kernel.js';
import { reduceCodes, reduceParams } from './reduce.js';

/** Threads of a workgroup. */
const THREADS = 64;

/** Outputs that keep an adapter busy with a thread each. Below, items are cut into blocks if there are at least LONG. */
const MANY = 512;
const LONG = 4096;

/** As `block_length` of the text. */
const MOST_BLOCKS = 256;
const LEAST_BLOCK = 1024;

interface Reduced {
  readonly rank: number;
  readonly dims: readonly number[];
  readonly axes: number;
}

interface Form {
  readonly outputs: number;
  readonly length: number;
  /** Whether the reduced dimensions are neighbours, and if so whether nothing kept comes after them. */
  readonly together: boolean;
  readonly rows: boolean;
  readonly blocks: number;
}

function formOf({ rank, dims, axes }: Reduced): Form {
  const all = dims.slice(0, rank);
  const isReduced = (d: number): boolean => ((axes >> d) & 1) !== 0;
  const sizeOf = (reduced: boolean): number => {
    const sizes = all.filter((_, d) => isReduced(d) === reduced);
    return sizes.includes(0) ? 0 : sizes.reduce((a, b) => a * b, 1);
  };
  const kinds = all
    .map((dim, d) => ({ dim, reduced: isReduced(d) }))
    .filter(({ dim }) => dim !== 1)
    .map(({ reduced }) => reduced)
    .filter((reduced, i, list) => i === 0 || reduced !== list[i - 1]);
  const outputs = sizeOf(false);
  const length = sizeOf(true);
  const split = outputs < MANY && length >= LONG;
  const block = Math.max(LEAST_BLOCK, Math.floor((Math.floor((length - 1) / MOST_BLOCKS) + 4) / 4) * 4);
  return {
    outputs,
    length,
    together: kinds.filter((reduced) => reduced).length <= 1,
    rows: kinds.at(-1) === true,
    blocks: split ? Math.ceil(length / block) : 1,
  };
}

export const reduceKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'reduce',
    struct: reduceParams,
    texts: [groupText, 'reduce/reduce.wgsl', { subgroups: 'reduce/reduce_subgroups.wgsl' }],
    inputs: ['x'],
    outputs: ['out'],
    types: () => ({ x: 'u32', out: 'u32' }),
    launches({ params, adapter }): readonly Launch[] {
      const { outputs, length, together, rows, blocks } = formOf(params);
      if (outputs === 0) return [];
      const name = reduceCodes[params.code];
      const constants = {
        CODE: params.code,
        DTYPE: params.dtype,
        RANK: params.rank,
        FORM: together && length > 0 ? 1 : 0,
        SPLIT: blocks > 1,
        ARG: name === 'argmax' || name === 'argmin',
        ACCUMULATE: params.accumulate !== 0,
      };
      const byGroup = !adapter.software && together && rows && length >= THREADS;
      const first: Launch = byGroup
        ? { entry: 'reduce_group', groups: groupsFor(outputs * blocks, 1), constants }
        : { entry: 'reduce_thread', groups: groupsFor(outputs * blocks, THREADS), constants };
      if (blocks === 1) return [first];
      return [first, { entry: 'reduce_blocks', groups: groupsFor(outputs, THREADS), constants }];
    },
    scratch({ params }) {
      const { outputs, blocks } = formOf(params);
      return { partial: blocks > 1 ? 4 * outputs * blocks : 0 };
    },
  }),
];
