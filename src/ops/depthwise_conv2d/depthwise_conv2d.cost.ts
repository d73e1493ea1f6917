import type { Cost } from '../cost.js';

type Geometry = Readonly<Record<'n' | 'h' | 'w' | 'c' | 'm' | 'oh' | 'ow' | 'kh' | 'kw', number>>;

const images = ({ n, h, w, c }: Geometry): number => n * h * w * c;
const outputs = ({ n, oh, ow, c, m }: Geometry): number => n * oh * ow * c * m;
const weights = ({ kh, kw, c, m }: Geometry): number => kh * kw * c * m;

/**
 * A multiplication and an addition for each tap of each output; x (or dx), w (or dw) and y (or dy) move once. The same
 * for the convolution and both of its backward kernels.
 */
export function depthwiseConv2dCost(p: Geometry): Cost {
  return { flops: 2 * outputs(p) * p.kh * p.kw, bytes: 4 * (images(p) + weights(p) + outputs(p)) };
}
