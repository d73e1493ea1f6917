// How batch normalisation runs on WebGPU: the launches of kernels/batch_norm/*.wgsl.
import {
  type AdapterTraits,
  groupsFor,
  type Launch,
  type WebGpuKernel,
  webGpuKernel,
} from '../../backend/webgpu/kernel.js';
import { batchNormBackwardParams, batchNormParams } from './batch_norm.js';

const THREADS = 64;

/** As in blocks.wgsl. */
const ROWS = 32;
const MOST_BLOCKS = 1024;
const FOLD_CHANNELS = 8;

interface Shape {
  readonly rows: number;
  readonly channels: number;
}

const blocksOf = (rows: number): number => Math.ceil(rows / (ROWS * Math.max(1, Math.ceil(rows / ROWS / MOST_BLOCKS))));

/** Two values a channel for each block, and the two of all. */
const statsOf = ({ rows, channels }: Shape): number => 2 * channels * (blocksOf(rows) + 1);

interface Parts {
  readonly shape: Shape;
  readonly training: boolean;
  readonly aligned: boolean;
  readonly adapter: AdapterTraits;
}

/** The three launches, each with what it reaches: all together would be nine buffers. In software no lanes, which take barriers. */
function launchesOf({ shape: { rows, channels }, training, aligned, adapter }: Parts) {
  const four = channels % 4 === 0;
  const rounds = adapter.software ? 32 : 8;
  const constants = { FOUR: four, TRAINING: training, LANES: adapter.software ? 1 : 32, ROUNDS: rounds };
  const vectors = four && aligned;
  const across = four ? channels / 4 : channels;
  return {
    sum: (entry: string, uses: readonly string[]): Launch => ({
      entry,
      groups: groupsFor(blocksOf(rows) * across, THREADS),
      constants,
      vectors,
      uses: [...uses, 'stats'],
    }),
    fold: (entry: string, uses: readonly string[]): Launch => ({
      entry,
      groups: groupsFor(channels, FOLD_CHANNELS),
      constants,
      vectors,
      uses: [...uses, 'stats'],
    }),
    /** `least`: row blocks there are even without rows. */
    write: (entry: string, uses: readonly string[], least: number): Launch => ({
      entry,
      groups: groupsFor(Math.max(least, Math.ceil(rows / rounds)) * across, THREADS),
      constants,
      vectors,
      uses: training ? [...uses, 'stats'] : uses,
    }),
  };
}

export const batchNormKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'batch_norm',
    struct: batchNormParams,
    texts: ['batch_norm/blocks.wgsl', 'batch_norm/batch_norm.wgsl'],
    inputs: ['x', 'gamma', 'beta', 'fixedMean', 'fixedVar'],
    outputs: ['y', 'mean', 'rstd', 'runningMean', 'runningVar'],
    launches({ params, aligned, adapter }) {
      const training = params.training !== 0;
      const { sum, fold, write } = launchesOf({ shape: params, training, aligned, adapter });
      if (!training)
        return [write('normalise', ['x', 'gamma', 'beta', 'fixedMean', 'fixedVar', 'y', 'mean', 'rstd'], 1)];
      return [
        sum('block_statistics', ['x']),
        fold('fold_statistics', ['mean', 'rstd', 'runningMean', 'runningVar']),
        write('normalise', ['x', 'gamma', 'beta', 'y'], 0),
      ];
    },
    scratch: ({ params }) => ({ stats: params.training === 0 ? 0 : statsOf(params) }),
  }),
  webGpuKernel({
    op: 'batch_norm_backward',
    struct: batchNormBackwardParams,
    texts: ['batch_norm/blocks.wgsl', 'batch_norm/batch_norm_backward.wgsl'],
    inputs: ['dy', 'x', 'gamma', 'mean', 'rstd'],
    outputs: ['dx', 'dgamma', 'dbeta'],
    launches({ params, aligned, adapter, has }) {
      const training = params.training !== 0;
      const { sum, fold, write } = launchesOf({ shape: params, training, aligned, adapter });
      const gradient = write('input_gradient', ['dy', 'x', 'gamma', 'mean', 'rstd', 'dx'], 0);
      if (!training && !has('dgamma') && !has('dbeta')) return [gradient];
      return [sum('block_sums', ['dy', 'x', 'mean', 'rstd']), fold('fold_sums', ['dgamma', 'dbeta']), gradient];
    },
    scratch: ({ params, has }) => ({
      stats: params.training !== 0 || has('dgamma') || has('dbeta') ? statsOf(params) : 0,
    }),
  }),
];
