import type { Cost } from '../cost.js';

/**
 * A parameter: gradient read, weight and each state buffer read and written. Weight decay 2 flops, m 3, v 4, the step 6
 * with its root and division, 3 for the EMA; the largest second moment counts none.
 */
export function adamCost({ n, amsgrad, ema }: { n: number; amsgrad: boolean; ema: boolean }): Cost {
  return { flops: n * (15 + (ema ? 3 : 0)), bytes: n * (28 + (amsgrad ? 8 : 0) + (ema ? 8 : 0)) };
}
