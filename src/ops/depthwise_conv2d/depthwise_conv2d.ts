// Depthwise convolution of NHWC images (kernels/depthwise_conv2d/depthwise_conv2d.h).
import { record } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { type DType, type StoredLike, storedLike } from '../../tensor/dtype.js';
import { formatShape, sameShape } from '../../tensor/shape.js';
import { empty, emptyAt, type Place, type Tensor } from '../../tensor/tensor.js';
import { activationCode, type FusedActivation } from '../activation.js';
import { dispatch, expectDType, expectRank } from '../dispatch.js';
import { type WindowOptions, windowOf } from '../window.js';
import { rules } from './depthwise_conv2d.grad.js';

const fields = {
  n: 'u32',
  h: 'u32',
  w: 'u32',
  c: 'u32',
  m: 'u32',
  oh: 'u32',
  ow: 'u32',
  kh: 'u32',
  kw: 'u32',
  strideH: 'u32',
  strideW: 'u32',
  dilationH: 'u32',
  dilationW: 'u32',
  padTop: 'u32',
  padLeft: 'u32',
  activation: 'u32',
} as const;

export const depthwiseConv2dParams = struct('depthwise_conv2d', fields);
export const depthwiseConv2dBackwardDataParams = struct('depthwise_conv2d_backward_data', fields);
export const depthwiseConv2dBackwardWeightParams = struct('depthwise_conv2d_backward_weight', fields);

/** The parameters of one call, all but the activation. */
export type DepthwiseGeometry = Readonly<Record<Exclude<keyof typeof fields, 'activation'>, number>>;

export interface DepthwiseConv2dOptions extends WindowOptions {
  /** [C*M], added before the activation. */
  readonly bias?: Tensor | null;
  /** Applied in registers. Default 'none'. */
  readonly activation?: FusedActivation;
}

/**
 * Each channel with M filters of its own: x [N,H,W,C], w [KH,KW,C,M], y [N,OH,OW,C*M], output channel c*M + j from
 * filter j of channel c. y = activation(conv(x, w) + bias), stored as x is.
 * @throws E_SHAPE, E_DTYPE, E_ARGUMENT
 */
export function depthwiseConv2d<D extends DType>(
  x: Tensor<D>,
  w: Tensor,
  options: DepthwiseConv2dOptions = {},
): Tensor<StoredLike<D>> {
  const op = 'depthwiseConv2d';
  const { bias = null, activation = 'none' } = options;
  expectDType(op, 'x', x, 'f32');
  expectDType(op, 'w', w, 'f32');
  expectRank(op, 'x', x, 4);
  expectRank(op, 'w', w, 4);
  const [n = 0, height = 0, width = 0, c = 0] = x.shape;
  const [kernelH = 0, kernelW = 0, channels = 0, m = 0] = w.shape;
  if (channels !== c || m < 1 || kernelH < 1 || kernelW < 1) {
    throw new AnnealError(
      'E_SHAPE',
      `${op}: expected w [KH,KW,${c},M], received ${formatShape(w.shape)} (x ${formatShape(x.shape)})`,
    );
  }
  if (bias) {
    expectDType(op, 'bias', bias, 'f32');
    if (!sameShape(bias.shape, [c * m])) {
      throw new AnnealError('E_SHAPE', `${op}: expected bias [${c * m}], received ${formatShape(bias.shape)}`);
    }
  }
  const code = activationCode(op, activation);
  const window = windowOf(op, [height, width], [kernelH, kernelW], options);
  const geometry = { ...window, n, h: height, w: width, c, m };
  const y = empty([n, geometry.oh, geometry.ow, c * m], storedLike(x), x.device);
  dispatch(depthwiseConv2dParams, { ...geometry, activation: code }, [x, w, bias], [y]);
  // The gradient of an activation follows from y.
  const saved = activation === 'none' ? [x, w] : [x, w, y];
  return record(op, y, [x, w, bias], rules.convolution(x, w, y, activation, geometry), { saved });
}

/** The bare convolution: x [n,h,w,c], w [kh,kw,c,m], y [n,oh,ow,c*m]. */
export function forward(x: Tensor, w: Tensor, geometry: DepthwiseGeometry): Tensor<'f32'> {
  const { n, oh, ow, c, m } = geometry;
  const y = empty([n, oh, ow, c * m], 'f32', x.device);
  dispatch(depthwiseConv2dParams, geometry, [x, w, null], [y]);
  return record('depthwiseConv2d', y, [x, w], rules.forward(x, w, geometry), { saved: [x, w] });
}

/** dx [n,h,w,c] from dy [n,oh,ow,c*m] and w [kh,kw,c,m]. */
export function backwardData(dy: Tensor, w: Tensor, geometry: DepthwiseGeometry): Tensor<'f32'> {
  const { n, h, w: width, c } = geometry;
  const dx = empty([n, h, width, c], 'f32', dy.device);
  dispatch(depthwiseConv2dBackwardDataParams, geometry, [dy, w], [dx]);
  return record('depthwiseConv2dBackwardData', dx, [dy, w], rules.backwardData(dy, w, geometry), { saved: [dy, w] });
}

const nowhere = [null, null] as const;

/** dw [kh,kw,c,m], and with it dbias [c*m] if asked for, from x [n,h,w,c] and dy [n,oh,ow,c*m]; into their places, if any. */
export function backwardWeight(
  x: Tensor,
  dy: Tensor,
  geometry: DepthwiseGeometry,
  withBias: boolean,
  [placeW, placeBias]: readonly [Place, Place] = nowhere,
): { dw: Tensor<'f32'>; dbias: Tensor<'f32'> | null } {
  const { kh, kw, c, m } = geometry;
  const dw = emptyAt(placeW, [kh, kw, c, m], dy.device);
  const dbias = withBias ? emptyAt(placeBias, [c * m], dy.device) : null;
  dispatch(depthwiseConv2dBackwardWeightParams, geometry, [x, dy], [dw, dbias]);
  record('depthwiseConv2dBackwardWeight', dw, [x, dy], rules.backwardWeight(x, dy, geometry), { saved: [x, dy] });
  if (dbias) record('depthwiseConv2dBackwardBias', dbias, [dy], rules.biasSum(dy.shape), { saved: [] });
  return { dw, dbias };
}
