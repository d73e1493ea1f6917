// How sgemm runs on WebGPU.
import type { DecodedOf } from '../../backend/params.js';
import {
  BROADCAST_SUBGROUP,
  BROADCAST_TILE,
  broadcastText,
  groupsFor,
  type KernelCall,
  type Launch,
  type WebGpuKernel,
  webGpuKernel,
} from '../../backend/webgpu/kernel.js';
import { sgemmParams } from './sgemm.js';

type Params = DecodedOf<typeof sgemmParams>;
type Call = KernelCall<Params>;

interface Variant {
  readonly entry: string;
  /** Rows and columns of C that a workgroup makes. */
  readonly rows: number;
  readonly columns: number;
  /** Whether K is cut into parts. */
  readonly split: boolean;
}

const registers: Variant = { entry: 'registers', rows: 8, columns: 8 * 16, split: false };
const broadcast: Variant = {
  entry: 'broadcast',
  rows: BROADCAST_TILE,
  columns: BROADCAST_TILE,
  split: false,
};
const tiled4: Variant = { entry: 'tiled4', rows: 64, columns: 64, split: false };
const variants: Readonly<Record<string, Variant>> = {
  registers,
  tiled4,
  tiled8: { entry: 'tiled8', rows: 128, columns: 128, split: false },
  broadcast,
  split_registers: { ...registers, split: true },
  split_broadcast: { ...broadcast, split: true },
  split_tiled4: { ...tiled4, split: true },
};
const unsplit = ['registers', 'broadcast', 'tiled4', 'tiled8'];

const THREADS = 64;
/** Rows of C from which it pays to bring B into rows of fours first. */
const WORTH_PACKING = 16;

/** Rows or columns up to which a product is thin: a tile of 64 is half empty. */
const THIN = 32;

/** Split-K: as many parts as make this many tiles of 64 x 64, and at least this much of K in each. */
const WANTED_TILES = 256;
const LEAST_DEPTH = 256;
/** Parts from which a product is deep, a class of its own. */
const DEEP = 4;

/** Parts of K, by the shape alone; a power of two, since each number is a pipeline. */
function partsOf({ batch, m, n, k }: Params): number {
  const tiles = batch * Math.ceil(m / tiled4.rows) * Math.ceil(n / tiled4.columns);
  const most = Math.min(WANTED_TILES / Math.max(1, tiles), k / LEAST_DEPTH);
  return 2 ** Math.floor(Math.log2(Math.max(1, most)));
}

function classOf(params: Params): string {
  const { m, n } = params;
  if (partsOf(params) >= DEEP) return 'deep';
  return Math.min(m, n) <= THIN ? 'thin' : 'square';
}

const sampleOf = (m: number, n: number, k: number) => ({
  params: { batch: 1, m, n, k },
  inputs: [m * k, k * n],
  outputs: [m * n],
});

const isEven = ({ params: { n, transB, strideB }, aligned }: Call): boolean =>
  aligned && n % 4 === 0 && strideB % 4 === 0 && transB === 0;
const packedRow = (n: number): number => Math.ceil(n / 4) * 4;

/** Four steps of K of a row of A, read as a vector. */
const hasFourSteps = ({ params: { k, transA, strideA }, aligned }: Call): boolean =>
  aligned && k % 4 === 0 && strideA % 4 === 0 && transA === 0;

/** What the launches and their scratch agree in. */
function chosen(call: Call) {
  const variant = variants[call.variant] ?? registers;
  const parts = variant.split ? partsOf(call.params) : 1;
  const packed =
    (variant.entry === 'registers' || variant.entry === 'broadcast') && !isEven(call) && call.params.m >= WORTH_PACKING;
  return { variant, parts, packed };
}

export const sgemmKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'sgemm',
    struct: sgemmParams,
    texts: ['sgemm/sgemm.wgsl', broadcastText, { subgroups: 'sgemm/sgemm_broadcast.wgsl' }],
    inputs: ['a', 'b', 'bias'],
    outputs: ['c'],
    variants: {
      classOf,
      subgroups: {
        broadcast: { size: BROADCAST_SUBGROUP, otherwise: 'registers' },
        split_broadcast: { size: BROADCAST_SUBGROUP, otherwise: 'split_registers' },
      },
      classes: {
        square: { names: unsplit, gpu: 'tiled8', software: 'broadcast', sample: sampleOf(384, 384, 384) },
        thin: { names: unsplit, gpu: 'tiled4', software: 'broadcast', sample: sampleOf(THIN, 256, 768) },
        deep: {
          names: ['registers', 'broadcast', 'tiled4', 'split_registers', 'split_broadcast', 'split_tiled4'],
          gpu: 'split_tiled4',
          software: 'split_broadcast',
          sample: sampleOf(128, 16, 4096),
        },
      },
    },
    launches(call) {
      const { batch, m, n, k, transA, transB } = call.params;
      if (batch * m * n === 0) return [];
      const { variant, parts, packed } = chosen(call);
      const shared = {
        constants: {
          TA: transA !== 0,
          TB: transB !== 0,
          EVEN: isEven(call),
          PACKED: packed,
          PARTS: parts,
          A4: hasFourSteps(call),
        },
        vectors: isEven(call),
      };
      const groups: Launch['groups'] = [Math.ceil(n / variant.columns), Math.ceil(m / variant.rows), batch * parts];
      const launches: Launch[] = [{ entry: variant.entry, groups, ...shared }];
      if (packed)
        launches.unshift({ entry: 'pack_b', groups: groupsFor((batch * k * packedRow(n)) / 4, THREADS), ...shared });
      if (parts > 1) launches.push({ entry: 'add_parts', groups: groupsFor(batch * m * n, THREADS), ...shared });
      return launches;
    },
    scratch(call) {
      const { batch, m, n, k } = call.params;
      const { parts, packed } = chosen(call);
      return { packed: packed ? batch * k * packedRow(n) : 0, parts: parts > 1 ? parts * batch * m * n : 0 };
    },
  }),
];
