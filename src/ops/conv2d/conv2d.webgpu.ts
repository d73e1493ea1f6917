// How convolution runs on WebGPU.
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
import { type Conv2dGeometry, conv2dBackwardDataParams, conv2dBackwardWeightParams, conv2dParams } from './conv2d.js';

const THREADS = 64;
/** Rows and columns that a thread of the register variants holds, and a workgroup of the tiled ones: product.wgsl. */
const REGISTERS = { rows: 6, columns: 4, threads: 8 };
const TILE = 64;

type Call = KernelCall<Conv2dGeometry>;

/** Rows that a thread of backward-weight's register variant holds: backward_weight.wgsl. */
const WEIGHT_ROWS = 8;

/** Threads side by side over the columns: as many as have some. */
function lanesFor(columns: number): number {
  const wanted = Math.ceil(columns / REGISTERS.columns);
  return [1, 2, 4].find((each) => each >= wanted) ?? REGISTERS.threads;
}

const productTexts = ['conv2d/product.wgsl', broadcastText, { subgroups: 'conv2d/product_broadcast.wgsl' }];

/** A product of `rows` positions in each of `kinds` kinds, `columns` channels of the result and `depth` of the source, in each group. */
function product(
  { params: { groups }, aligned, variant }: Call,
  { rows, kinds, columns, depth }: Readonly<Record<'rows' | 'kinds' | 'columns' | 'depth', number>>,
): Launch {
  const constants = { EVEN: aligned && columns % 4 === 0, FOUR: aligned && depth % 4 === 0, FEW: depth < 4 };
  const vectors = constants.EVEN && constants.FOUR;
  if (variant !== 'registers') {
    const tile = variant === 'broadcast' ? BROADCAST_TILE : TILE;
    const tiles = Math.ceil(rows / tile) * Math.ceil(columns / tile);
    return {
      entry: variant,
      groups: groupsFor(tiles * kinds * groups, 1),
      constants: { ...constants, LANES: 8 },
      vectors,
    };
  }
  const lanes = lanesFor(columns);
  const parts =
    Math.ceil(rows / ((REGISTERS.threads / lanes) * REGISTERS.rows)) * Math.ceil(columns / (REGISTERS.columns * lanes));
  return {
    entry: 'registers',
    groups: groupsFor(parts * kinds * groups, 1),
    constants: { ...constants, LANES: lanes },
    vectors,
  };
}

/**
 * Backward-weight: as many parts of the positions as make this many tiles, and at least this many positions in each.
 */
const WANTED_TILES = 512;
const POSITIONS = 512;

/** Parts of the rows of dy, by the shape alone (a power of two, since each number is a pipeline), and the elements of each. */
function partsOf({ params: { n, c, oh, ow, oc, kh, kw, groups }, has }: Call) {
  const rows = (kh * kw * c) / groups + (has('db') ? 1 : 0);
  const tiles = Math.ceil(rows / TILE) * Math.ceil(oc / groups / TILE) * groups;
  const most = Math.min(Math.ceil(WANTED_TILES / tiles), Math.ceil((n * oh * ow) / POSITIONS), n * oh);
  return { parts: 2 ** Math.floor(Math.log2(Math.max(1, most))), rows };
}

const unit = { strideH: 1, strideW: 1, dilationH: 1, dilationW: 1, padTop: 1, padLeft: 1, groups: 1 };
/** A layer in the middle of a net: 3x3, 64 to 64 channels, 28x28, which every shape takes the choice from. */
const sampled = { n: 2, h: 28, w: 28, c: 64, oh: 28, ow: 28, oc: 64, kh: 3, kw: 3, ...unit };
const image = sampled.n * sampled.h * sampled.w * sampled.c;
const weights = sampled.kh * sampled.kw * sampled.c * sampled.oc;

/** product.wgsl and backward_weight.wgsl have both; `operands` are the elements of the two inputs and the output. */
const variantsOf = ([a, b, out]: readonly [number, number, number]) => ({
  classOf: () => 'any',
  subgroups: { broadcast: { size: BROADCAST_SUBGROUP, otherwise: 'registers' } },
  classes: {
    any: {
      names: ['registers', 'broadcast', 'tiled'],
      gpu: 'tiled',
      software: 'broadcast',
      sample: { params: sampled, inputs: [a, b], outputs: [out] },
    },
  },
});

export const conv2dKernels: readonly WebGpuKernel[] = [
  webGpuKernel({
    op: 'conv2d',
    struct: conv2dParams,
    texts: ['conv2d/forward.wgsl', ...productTexts],
    inputs: ['x', 'w', 'bias'],
    outputs: ['y'],
    variants: variantsOf([image, weights, image]),
    launches(call) {
      const { n, c, oh, ow, oc, groups } = call.params;
      return [product(call, { rows: n * oh * ow, kinds: 1, columns: oc / groups, depth: c / groups })];
    },
  }),
  webGpuKernel({
    op: 'conv2d_backward_data',
    struct: conv2dBackwardDataParams,
    texts: ['conv2d/backward_data.wgsl', ...productTexts],
    inputs: ['dy', 'w'],
    outputs: ['dx'],
    variants: variantsOf([image, weights, image]),
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
  webGpuKernel({
    op: 'conv2d_backward_weight',
    struct: conv2dBackwardWeightParams,
    texts: ['conv2d/backward_weight.wgsl', broadcastText, { subgroups: 'conv2d/backward_weight_broadcast.wgsl' }],
    inputs: ['x', 'dy'],
    outputs: ['dw', 'db'],
    variants: variantsOf([image, image, weights]),
    scratch(call) {
      const { parts, rows } = partsOf(call);
      return { parts: parts * rows * call.params.oc };
    },
    launches(call) {
      const { c, oc, groups } = call.params;
      const { parts, rows } = partsOf(call);
      const columns = oc / groups;
      const EVEN = call.aligned && columns % 4 === 0;
      const FOUR = call.aligned && (c / groups) % 4 === 0;
      const lanes = call.variant === 'registers' ? lanesFor(columns) : REGISTERS.threads;
      const constants = { EVEN, FOUR, LANES: lanes, PARTS: parts };
      const [height, width] =
        call.variant === 'registers'
          ? [(REGISTERS.threads / lanes) * WEIGHT_ROWS, REGISTERS.columns * lanes]
          : call.variant === 'broadcast'
            ? [BROADCAST_TILE, BROADCAST_TILE]
            : [TILE, TILE];
      const tiles = Math.ceil(rows / height) * Math.ceil(columns / width) * groups * parts;
      const vectors = EVEN && FOUR;
      return [
        { entry: call.variant, groups: groupsFor(tiles, 1), constants, vectors },
        { entry: 'add_parts', groups: groupsFor(rows * oc, THREADS), constants, vectors },
      ];
    },
  }),
];
