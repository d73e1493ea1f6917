import type { Cost } from '../cost.js';

type Geometry = Readonly<Record<'n' | 'h' | 'w' | 'c' | 'oh' | 'ow' | 'oc' | 'kh' | 'kw' | 'groups', number>> & {
  readonly accumulate?: number;
};

/**
 * A multiplication and an addition for each tap and input channel of each output; x (or dx), w (or dw) and y (or dy) move
 * once, dw twice where it is added to. The same for the convolution and both of its backward kernels.
 */
export function conv2dCost({ n, h, w, c, oh, ow, oc, kh, kw, groups, accumulate = 0 }: Geometry): Cost {
  const outputs = n * oh * ow * oc;
  const window = kh * kw * (c / groups);
  return { flops: 2 * outputs * window, bytes: 4 * (n * h * w * c + (1 + accumulate) * window * oc + outputs) };
}
