// The geometry that convolution and pooling share: windows over [H, W].
import { AnnealError } from '../errors.js';
import { formatShape } from '../tensor/shape.js';

export type Pair = number | readonly [number, number];

/**
 * 'valid': none. 'same': as much as gives ceil(size / stride) outputs, the odd one at the bottom right, as in
 * TensorFlow. A number or [H, W]: on both sides. [[top, bottom], [left, right]]: explicit.
 */
export type Padding =
  | 'valid'
  | 'same'
  | number
  | readonly [number, number]
  | readonly [readonly [number, number], readonly [number, number]];

export interface WindowOptions {
  /** Default 1 for convolution, the kernel size for pooling. */
  readonly stride?: Pair;
  /** Default 'valid'. */
  readonly padding?: Padding;
  /** Default 1. */
  readonly dilation?: Pair;
}

/** Everything a window op's parameters need. */
export interface Window {
  readonly kh: number;
  readonly kw: number;
  readonly oh: number;
  readonly ow: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationH: number;
  readonly dilationW: number;
  readonly padTop: number;
  readonly padLeft: number;
}

/** @throws E_ARGUMENT unless both are integers of at least 1 */
export function pairOf(op: string, name: string, value: Pair): readonly [number, number] {
  const [a, b] = typeof value === 'number' ? [value, value] : value;
  for (const size of [a, b]) {
    if (!Number.isInteger(size) || size < 1) {
      throw new AnnealError(
        'E_ARGUMENT',
        `${op}: expected ${name} to be integers of at least 1, received ${String(value)}`,
      );
    }
  }
  return [a, b];
}

function padsOf(
  op: string,
  padding: Padding,
  axis: 0 | 1,
  size: number,
  stride: number,
  extent: number,
): readonly [number, number] {
  if (padding === 'valid') return [0, 0];
  if (padding === 'same') {
    const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  }
  const side = typeof padding === 'number' ? padding : padding[axis];
  const [before, after] = typeof side === 'number' ? [side, side] : side;
  for (const pad of [before, after]) {
    if (!Number.isInteger(pad) || pad < 0) {
      throw new AnnealError(
        'E_ARGUMENT',
        `${op}: expected padding of integers of at least 0, received ${JSON.stringify(padding)}`,
      );
    }
  }
  return [before, after];
}

/**
 * Places windows of `kernel` over an image: out = floor((size + pads - dilation (kernel - 1) - 1) / stride) + 1.
 * @throws E_SHAPE when no window fits, E_ARGUMENT on bad options
 */
export function windowOf(
  op: string,
  image: readonly [number, number],
  kernel: readonly [number, number],
  options: WindowOptions,
): Window {
  const stride = pairOf(op, 'stride', options.stride ?? 1);
  const dilation = pairOf(op, 'dilation', options.dilation ?? 1);
  const along = (axis: 0 | 1): { out: number; before: number } => {
    const extent = dilation[axis] * (kernel[axis] - 1) + 1;
    const [before, after] = padsOf(op, options.padding ?? 'valid', axis, image[axis], stride[axis], extent);
    const out = Math.floor((image[axis] + before + after - extent) / stride[axis]) + 1;
    if (out < 1) {
      throw new AnnealError(
        'E_SHAPE',
        `${op}: expected an image of at least ${extent} with padding, received ${formatShape(image)}`,
      );
    }
    return { out, before };
  };
  const h = along(0);
  const w = along(1);
  return {
    kh: kernel[0],
    kw: kernel[1],
    oh: h.out,
    ow: w.out,
    strideH: stride[0],
    strideW: stride[1],
    dilationH: dilation[0],
    dilationW: dilation[1],
    padTop: h.before,
    padLeft: w.before,
  };
}
