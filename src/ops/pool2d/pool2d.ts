// Pooling over NHWC images (kernels/pool2d/pool2d.h).
import { gradEnabled, record } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { type DType, type StoredLike, storedLike } from '../../tensor/dtype.js';
import { formatShape } from '../../tensor/shape.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { dispatch, expectDType, expectRank } from '../dispatch.js';
import { reshape } from '../reshape.js';
import { type Pair, pairOf, type WindowOptions, windowOf } from '../window.js';
import { avgPoolBackward, maxPoolBackward } from './pool2d.grad.js';

const fields = {
  n: 'u32',
  h: 'u32',
  w: 'u32',
  c: 'u32',
  oh: 'u32',
  ow: 'u32',
  kh: 'u32',
  kw: 'u32',
  strideH: 'u32',
  strideW: 'u32',
  padTop: 'u32',
  padLeft: 'u32',
  countIncludePad: 'u32',
} as const;

export const maxPool2dParams = struct('max_pool2d', fields);
export const maxPool2dBackwardParams = struct('max_pool2d_backward', fields);
export const avgPool2dParams = struct('avg_pool2d', fields);
export const avgPool2dBackwardParams = struct('avg_pool2d_backward', fields);

/** The parameters of one pooling call: x [n,h,w,c], y [n,oh,ow,c]. */
export type PoolGeometry = Readonly<Record<keyof typeof fields, number>>;

/** Stride (default: the window's size) and padding. */
export type PoolOptions = Omit<WindowOptions, 'dilation'>;

export interface AvgPoolOptions extends PoolOptions {
  /** Divide by the window's size also where part of it lies in the padding. Default false. */
  readonly countIncludePad?: boolean;
}

function geometryOf(op: string, x: Tensor, size: Pair, options: AvgPoolOptions): PoolGeometry {
  expectDType(op, 'x', x, 'f32');
  expectRank(op, 'x', x, 4);
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const kernel = pairOf(op, 'size', size);
  const { stride = kernel, padding = 'valid', countIncludePad = false } = options;
  const { kh, kw, oh, ow, strideH, strideW, padTop, padLeft } = windowOf(op, [h, w], kernel, { stride, padding });
  const meets = padTop < kh && padLeft < kw && (oh - 1) * strideH - padTop < h && (ow - 1) * strideW - padLeft < w;
  if (h === 0 || w === 0 || !meets) {
    throw new AnnealError(
      'E_SHAPE',
      `${op}: expected every window to meet the image, received windows ${formatShape([kh, kw])} with padding ` +
        `${JSON.stringify(padding)} over ${formatShape(x.shape)}`,
    );
  }
  return { n, h, w, c, oh, ow, kh, kw, strideH, strideW, padTop, padLeft, countIncludePad: countIncludePad ? 1 : 0 };
}

/**
 * The maximum of each window; a NaN wins. x [N,H,W,C], y [N,OH,OW,C]. The gradient goes to the first maximum.
 * @throws E_SHAPE when a window would lie wholly in the padding, E_DTYPE, E_ARGUMENT
 */
export function maxPool2d<D extends DType>(x: Tensor<D>, size: Pair, options: PoolOptions = {}): Tensor<StoredLike<D>> {
  const geometry = geometryOf('maxPool2d', x, size, options);
  const { n, oh, ow, c } = geometry;
  const y = empty([n, oh, ow, c], storedLike(x), x.device);
  const argmax = gradEnabled() && x.requiresGrad ? empty(y.shape, 'i32', x.device) : null;
  dispatch(maxPool2dParams, geometry, [x], [y, argmax]);
  if (argmax === null) return y;
  return record('maxPool2d', y, [x], maxPoolBackward(argmax, geometry), { saved: [argmax] });
}

/**
 * The average of each window. x [N,H,W,C], y [N,OH,OW,C].
 * @throws E_SHAPE when a window would lie wholly in the padding, E_DTYPE, E_ARGUMENT
 */
export function avgPool2d<D extends DType>(
  x: Tensor<D>,
  size: Pair,
  options: AvgPoolOptions = {},
): Tensor<StoredLike<D>> {
  return avgPool(x, geometryOf('avgPool2d', x, size, options));
}

/** avg_pool2d with its geometry given. */
export function avgPool<D extends DType>(x: Tensor<D>, geometry: PoolGeometry): Tensor<StoredLike<D>> {
  const { n, oh, ow, c } = geometry;
  const y = empty([n, oh, ow, c], storedLike(x), x.device);
  dispatch(avgPool2dParams, geometry, [x], [y]);
  return record('avgPool2d', y, [x], avgPoolBackward(geometry), { saved: [] });
}

function imageSize(op: string, x: Tensor): readonly [number, number] {
  expectRank(op, 'x', x, 4);
  const [, h = 0, w = 0] = x.shape;
  if (h === 0 || w === 0) {
    throw new AnnealError('E_SHAPE', `${op}: expected images with pixels, received ${formatShape(x.shape)}`);
  }
  return [h, w];
}

/** The average of each image and channel: [N,H,W,C] to [N,C]. @throws E_SHAPE, E_DTYPE */
export function globalAvgPool2d<D extends DType>(x: Tensor<D>): Tensor<StoredLike<D>> {
  const y = avgPool2d(x, imageSize('globalAvgPool2d', x));
  return reshape(y, [x.shape[0] ?? 0, x.shape[3] ?? 0]);
}

/** The maximum of each image and channel: [N,H,W,C] to [N,C]. @throws E_SHAPE, E_DTYPE */
export function globalMaxPool2d<D extends DType>(x: Tensor<D>): Tensor<StoredLike<D>> {
  const y = maxPool2d(x, imageSize('globalMaxPool2d', x));
  return reshape(y, [x.shape[0] ?? 0, x.shape[3] ?? 0]);
}
