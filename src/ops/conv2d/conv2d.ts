// 2-D convolution of NHWC images (kernels/conv2d/conv2d.h).
import { record } from '../../autograd/tape.js';
import { struct } from '../../backend/params.js';
import { AnnealError } from '../../errors.js';
import { type DType, type StoredLike, storedLike } from '../../tensor/dtype.js';
import { formatShape, type Shape, sameShape } from '../../tensor/shape.js';
import { changing, empty, emptyAt, type Place, type Tensor } from '../../tensor/tensor.js';
import { activationCode, type FusedActivation } from '../activation.js';
import { depthwiseConv2d } from '../depthwise_conv2d/depthwise_conv2d.js';
import { dispatch, expectDType, expectRank } from '../dispatch.js';
import { reshape } from '../reshape.js';
import { type WindowOptions, windowOf } from '../window.js';
import { rules } from './conv2d.grad.js';

const fields = {
  n: 'u32',
  h: 'u32',
  w: 'u32',
  c: 'u32',
  oh: 'u32',
  ow: 'u32',
  oc: 'u32',
  kh: 'u32',
  kw: 'u32',
  strideH: 'u32',
  strideW: 'u32',
  dilationH: 'u32',
  dilationW: 'u32',
  padTop: 'u32',
  padLeft: 'u32',
  groups: 'u32',
  activation: 'u32',
  accumulate: 'u32',
} as const;

export const conv2dParams = struct('conv2d', fields);
export const conv2dBackwardDataParams = struct('conv2d_backward_data', fields);
export const conv2dBackwardWeightParams = struct('conv2d_backward_weight', fields);

/** What the parameters of one call and of its gradients share. */
export type Conv2dGeometry = Readonly<Record<Exclude<keyof typeof fields, 'activation' | 'accumulate'>, number>>;

export interface Conv2dOptions extends WindowOptions {
  /** Input and output channels are cut into this many groups that do not see each other. Default 1. */
  readonly groups?: number;
  /** [OC], added before the activation. */
  readonly bias?: Tensor | null;
  /** Applied in registers. Default 'none'. */
  readonly activation?: FusedActivation;
}

/**
 * y = activation(conv(x, w) + bias): x [N,H,W,C], w [KH,KW,C/groups,OC], y [N,OH,OW,OC], stored as x is. With one channel in a group this
 * is a depthwise convolution and runs as one.
 * @throws E_SHAPE, E_DTYPE, E_ARGUMENT
 */
export function conv2d<D extends DType>(x: Tensor<D>, w: Tensor, options: Conv2dOptions = {}): Tensor<StoredLike<D>> {
  const { bias = null, activation = 'none', groups = 1 } = options;
  expectDType('conv2d', 'x', x, 'f32');
  expectDType('conv2d', 'w', w, 'f32');
  expectRank('conv2d', 'x', x, 4);
  expectRank('conv2d', 'w', w, 4);
  const [n = 0, height = 0, width = 0, c = 0] = x.shape;
  const [kernelH = 0, kernelW = 0, channels = 0, oc = 0] = w.shape;
  if (!Number.isInteger(groups) || groups < 1 || c % groups !== 0 || oc % groups !== 0) {
    throw new AnnealError(
      'E_SHAPE',
      `conv2d: expected channels divisible by groups, received ${c} in, ${oc} out, ${groups} groups`,
    );
  }
  if (channels !== c / groups || channels < 1 || oc < 1 || kernelH < 1 || kernelW < 1) {
    throw new AnnealError(
      'E_SHAPE',
      `conv2d: expected w [KH,KW,${c / groups},OC], received ${formatShape(w.shape)} (x ${formatShape(x.shape)}, ${groups} groups)`,
    );
  }
  if (bias) {
    expectDType('conv2d', 'bias', bias, 'f32');
    if (!sameShape(bias.shape, [oc])) {
      throw new AnnealError('E_SHAPE', `conv2d: expected bias [${oc}], received ${formatShape(bias.shape)}`);
    }
  }
  const code = activationCode('conv2d', activation);
  const window = windowOf('conv2d', [height, width], [kernelH, kernelW], options);
  if (groups > 1 && channels === 1) return depthwiseConv2d(x, reshape(w, [kernelH, kernelW, c, oc / c]), options);
  const geometry = { ...window, n, h: height, w: width, c, oc, groups };
  const y = empty([n, geometry.oh, geometry.ow, oc], storedLike(x), x.device);
  dispatch(conv2dParams, { ...geometry, activation: code }, [x, w, bias], [y]);
  // The gradient of an activation follows from y.
  const saved = activation === 'none' ? [x, w] : [x, w, y];
  return record('conv2d', y, [x, w, bias], rules.convolution(x, w, y, activation, geometry), { saved });
}

/** The bare convolution: x [n,h,w,c], w [kh,kw,c/groups,oc], y [n,oh,ow,oc]. */
export function forward(x: Tensor, w: Tensor, geometry: Conv2dGeometry): Tensor<'f32'> {
  const { n, oh, ow, oc } = geometry;
  const y = empty([n, oh, ow, oc], 'f32', x.device);
  dispatch(conv2dParams, geometry, [x, w, null], [y]);
  return record('conv2d', y, [x, w], rules.forward(x, w, geometry), { saved: [x, w] });
}

/** dx [n,h,w,c] from dy [n,oh,ow,oc] and w [kh,kw,c/groups,oc]. */
export function backwardData(dy: Tensor, w: Tensor, geometry: Conv2dGeometry): Tensor<'f32'> {
  const { n, h, w: width, c } = geometry;
  const dx = empty([n, h, width, c], 'f32', dy.device);
  dispatch(conv2dBackwardDataParams, geometry, [dy, w], [dx]);
  return record('conv2dBackwardData', dx, [dy, w], rules.backwardData(dy, w, geometry), { saved: [dy, w] });
}

const nowhere = [null, null] as const;

/** dw [kh,kw,c/groups,oc], and with it dbias [oc] if asked for, from x [n,h,w,c] and dy [n,oh,ow,oc]; into their places, if any, or added to what both hold. */
export function backwardWeight(
  x: Tensor,
  dy: Tensor,
  geometry: Conv2dGeometry,
  withBias: boolean,
  [placeW, placeBias]: readonly [Place, Place] = nowhere,
): { dw: Tensor<'f32'>; dbias: Tensor<'f32'> | null } {
  const { kh, kw, c, oc, groups } = geometry;
  const accumulate = placeW?.holds === true && (!withBias || placeBias?.holds === true);
  const at = (place: Place, shape: Shape): Tensor<'f32'> =>
    accumulate && place ? changing(place.tensor) : emptyAt(place, shape, dy.device);
  const dw = at(placeW, [kh, kw, c / groups, oc]);
  const dbias = withBias ? at(placeBias, [oc]) : null;
  dispatch(conv2dBackwardWeightParams, { ...geometry, accumulate }, [x, dy], [dw, dbias]);
  record('conv2dBackwardWeight', dw, [x, dy], rules.backwardWeight(x, dy, geometry), { saved: [x, dy] });
  if (dbias) record('conv2dBackwardBias', dbias, [dy], rules.biasSum(dy.shape), { saved: [] });
  return { dw, dbias };
}
