// What a kernel of products must multiply at the least, which is less than the flops that its cost formula counts where it
// leaves out taps that meet only padding, or multiplies less by Winograd's method (kernels/conv2d/winograd.h). Speeds and
// shares count the flops of the direct sums, as is usual; the check that no kernel beats its limit counts these.
import type { OpName } from '../backend/backend.js';
import { type Sizes, sizesOf } from './bounds.js';

/** Ops whose flops are multiply-adds, all of them. */
export const productOps: ReadonlySet<OpName> = new Set([
  'sgemm',
  'conv2d',
  'conv2d_backward_data',
  'conv2d_backward_weight',
  'depthwise_conv2d',
  'depthwise_conv2d_backward_data',
  'depthwise_conv2d_backward_weight',
]);
const winogradOps: ReadonlySet<OpName> = new Set(['conv2d', 'conv2d_backward_data']);

/** F(4x4, 3x3): 36 products for 16 sums of 9. */
const WINOGRAD = 36 / (16 * 9);

/** The share of (output, tap) pairs along one axis that lie in the image. */
function insideShare(
  size: number,
  outputs: number,
  taps: number,
  stride: number,
  dilation: number,
  pad: number,
): number {
  let inside = 0;
  for (let i = 0; i < outputs; i++) {
    for (let tap = 0; tap < taps; tap++) {
      const at = i * stride + tap * dilation - pad;
      if (at >= 0 && at < size) inside++;
    }
  }
  return inside / (outputs * taps);
}

function mayBeWinograd(s: Sizes): boolean {
  const { kh, kw, strideH, strideW, dilationH, dilationW, groups = 1, c = 0, oc = 0 } = s;
  const unit = [strideH, strideW, dilationH, dilationW, groups].every((value) => value === 1);
  return unit && kh === 3 && kw === 3 && c >= 32 && oc >= 32;
}

/** The multiply-adds' share of the direct sums' that no kernel of ours can do without. */
export function leastShare(op: OpName, params: Uint8Array): number {
  if (op === 'sgemm' || !productOps.has(op)) return 1;
  const s = sizesOf(op, params);
  if (winogradOps.has(op) && mayBeWinograd(s)) return WINOGRAD;
  const axis = (size = 0, outputs = 0, taps = 0, stride = 1, dilation = 1, pad = 0): number =>
    outputs === 0 ? 1 : insideShare(size, outputs, taps, stride, dilation, pad);
  return (
    axis(s.h, s.oh, s.kh, s.strideH, s.dilationH, s.padTop) * axis(s.w, s.ow, s.kw, s.strideW, s.dilationW, s.padLeft)
  );
}
