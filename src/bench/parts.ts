// Parts of a large problem that the reference can do in a moment: whole rows and columns of a product, one image and a few
// channels of a convolution. Together they meet every tile of the result, at its edges as well.
import type { OpName } from '../backend/backend.js';
import type { Sizes } from './bounds.js';

/** Of an operand: the places `indices` along one axis. */
export interface Slice {
  readonly shape: readonly number[];
  readonly axis: number;
  readonly indices: readonly number[];
}

/** The same op on slices of its operands: each cut by its slices in turn, none of them where the list is empty. */
export interface Part {
  readonly name: string;
  readonly changes: Readonly<Record<string, number>>;
  readonly inputs: readonly (readonly Slice[])[];
  readonly outputs: readonly (readonly Slice[])[];
}

export interface PartLimits {
  /** Multiplications of a part, about. */
  readonly budget: number;
  /** A whole call above this many is checked in parts. */
  readonly large: number;
}

/** The reference does some 3e8 multiplications a second, and all of them twice, for the magnitudes. */
const usual: PartLimits = { budget: 3e7, large: 1e8 };
const LINES = 4;
const CHANNELS = 2;

/** `count` of `size` places, evenly spread, the first and the last among them. */
export function spread(size: number, count: number): number[] {
  if (size <= count) return Array.from({ length: size }, (_, i) => i);
  if (count === 1) return [size - 1];
  return Array.from({ length: count }, (_, i) => Math.floor((i * (size - 1)) / (count - 1)));
}

function sgemmParts(s: Sizes, { large }: PartLimits): Part[] {
  const { batch = 1, m = 0, n = 0, k = 0, transA = 0, transB = 0, strideA = 0, strideB = 0 } = s;
  if (batch !== 1 || m * n * k <= large) return [];
  const rows = spread(m, LINES);
  const columns = spread(n, LINES);
  const c = [m, n];
  return [
    {
      name: `${rows.length} of ${m} rows`,
      changes: { m: rows.length, strideA: strideA && rows.length * k },
      inputs: [[{ shape: transA ? [k, m] : [m, k], axis: transA ? 1 : 0, indices: rows }], [], []],
      outputs: [[{ shape: c, axis: 0, indices: rows }]],
    },
    {
      name: `${columns.length} of ${n} columns`,
      changes: { n: columns.length, strideB: strideB && columns.length * k },
      inputs: [
        [],
        [{ shape: transB ? [n, k] : [k, n], axis: transB ? 0 : 1, indices: columns }],
        [{ shape: [n], axis: 0, indices: columns }],
      ],
      outputs: [[{ shape: c, axis: 1, indices: columns }]],
    },
  ];
}

/** Every operand of a convolution cut to some images, input and output channels. */
function convolutionPart(
  op: OpName,
  s: Sizes,
  images: readonly number[],
  ins: readonly number[],
  outs: readonly number[],
): Part {
  const { n = 0, h = 0, w = 0, c = 0, oh = 0, ow = 0, oc = 0, kh = 0, kw = 0 } = s;
  const cut = (dims: readonly number[], ...cuts: (readonly [number, readonly number[]])[]): Slice[] => {
    const shape = [...dims];
    return cuts.map(([axis, indices]) => {
      const slice = { shape: [...shape], axis, indices };
      shape[axis] = indices.length;
      return slice;
    });
  };
  const x = cut([n, h, w, c], [0, images], [3, ins]);
  const weights = cut([kh, kw, c, oc], [2, ins], [3, outs]);
  const y = cut([n, oh, ow, oc], [0, images], [3, outs]);
  const bias = cut([oc], [0, outs]);
  const rest = {
    name: `images [${images}], ${ins.length} of ${c} and ${outs.length} of ${oc} channels`,
    changes: { n: images.length, c: ins.length, oc: outs.length },
  };
  if (op === 'conv2d') return { ...rest, inputs: [x, weights, bias], outputs: [y] };
  if (op === 'conv2d_backward_data') return { ...rest, inputs: [y, weights], outputs: [x] };
  return { ...rest, inputs: [x, y], outputs: [weights, bias] };
}

/** Sums run over what is no index of the result, so that is whole in each part. */
function convolutionParts(op: OpName, s: Sizes, { budget, large }: PartLimits): Part[] {
  const { n = 0, c = 0, oh = 0, ow = 0, oc = 0, kh = 0, kw = 0, groups = 1 } = s;
  const each = oh * ow * kh * kw; // multiplications for an image and a pair of channels
  if (groups !== 1 || n * each * c * oc <= large) return [];
  const fits = (others: number): number => Math.max(1, Math.floor(budget / (each * others)));
  const all = (size: number): number[] => spread(size, size);
  const last = [n - 1];
  const [fewIn, fewOut] = [spread(c, CHANNELS), spread(oc, CHANNELS)];
  if (op === 'conv2d') {
    return [
      convolutionPart(op, s, last, all(c), spread(oc, fits(c))),
      convolutionPart(op, s, all(n), all(c), spread(oc, Math.min(CHANNELS, fits(n * c)))),
    ];
  }
  if (op === 'conv2d_backward_data') {
    return [
      convolutionPart(op, s, last, spread(c, fits(oc)), all(oc)),
      convolutionPart(op, s, all(n), spread(c, Math.min(CHANNELS, fits(n * oc))), all(oc)),
    ];
  }
  return [
    convolutionPart(op, s, all(n), fewIn, spread(oc, fits(n * fewIn.length))),
    convolutionPart(op, s, all(n), spread(c, fits(n * fewOut.length)), fewOut),
  ];
}

/** Parts of one call to check in place of all of it; none where the whole is small enough. */
export function partsOf(op: OpName, sizes: Sizes, limits: PartLimits = usual): Part[] {
  switch (op) {
    case 'sgemm':
      return sgemmParts(sizes, limits);
    case 'conv2d':
    case 'conv2d_backward_data':
    case 'conv2d_backward_weight':
      return convolutionParts(op, sizes, limits);
    default:
      return [];
  }
}

/** The slices of 4-byte items, packed. */
export function take(items: Uint32Array, slices: readonly Slice[]): Uint32Array {
  return slices.reduce((packed, slice) => takeOne(packed, slice), items);
}

function takeOne(items: Uint32Array, { shape, axis, indices }: Slice): Uint32Array {
  const length = shape[axis] ?? 0;
  if (indices.length === length) return items;
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const packed = new Uint32Array(outer * indices.length * inner);
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const index of indices) {
      const begin = (o * length + index) * inner;
      packed.set(items.subarray(begin, begin + inner), at);
      at += inner;
    }
  return packed;
}
