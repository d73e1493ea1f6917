import type { Cost } from '../cost.js';

type Geometry = Readonly<Record<'n' | 'h' | 'w' | 'c' | 'oh' | 'ow' | 'kh' | 'kw', number>>;

const images = ({ n, h, w, c }: Geometry): number => n * h * w * c;
const outputs = ({ n, oh, ow, c }: Geometry): number => n * oh * ow * c;

/** A comparison for each element of each window; x read, y and, for a later backward, argmax written. */
export function maxPool2dCost(p: Geometry & { withArgmax: boolean }): Cost {
  return { flops: outputs(p) * p.kh * p.kw, bytes: 4 * (images(p) + outputs(p) * (p.withArgmax ? 2 : 1)) };
}

/** dy and argmax read, dx written; one addition for each element of dy. */
export function maxPool2dBackwardCost(p: Geometry): Cost {
  return { flops: outputs(p), bytes: 4 * (images(p) + 2 * outputs(p)) };
}

/** An addition for each element of each window; x read, y written. Its backward costs the same. */
export function avgPool2dCost(p: Geometry): Cost {
  return { flops: outputs(p) * p.kh * p.kw, bytes: 4 * (images(p) + outputs(p)) };
}
