import type { Cost } from '../cost.js';

/**
 * A parameter: gradient read, weight and each state buffer read and written. Weight decay 2 flops, v 4, the step 5 with
 * its root and division, 5 when centered, 2 for momentum, 3 for the EMA.
 */
export function rmspropCost(options: { n: number; centered: boolean; momentum: boolean; ema: boolean }): Cost {
  const { n, centered, momentum, ema } = options;
  return {
    flops: n * (11 + (centered ? 5 : 0) + (momentum ? 2 : 0) + (ema ? 3 : 0)),
    bytes: n * (20 + (centered ? 8 : 0) + (momentum ? 8 : 0) + (ema ? 8 : 0)),
  };
}
