import type { Cost } from '../cost.js';

/**
 * A parameter: gradient read, weight and each state buffer read and written. 4 flops for weight decay and the step, 3 for
 * momentum, 2 more for Nesterov, 3 for the EMA.
 */
export function sgdMomentumEmaCost(options: { n: number; momentum: boolean; nesterov: boolean; ema: boolean }): Cost {
  const { n, momentum, nesterov, ema } = options;
  return {
    flops: n * (4 + (momentum ? 3 : 0) + (nesterov ? 2 : 0) + (ema ? 3 : 0)),
    bytes: n * (12 + (momentum ? 8 : 0) + (ema ? 8 : 0)),
  };
}
