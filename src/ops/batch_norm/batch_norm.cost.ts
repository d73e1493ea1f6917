import type { Cost } from '../cost.js';

interface Sizes {
  readonly rows: number;
  readonly channels: number;
  readonly training: boolean;
}

/** Training: x read twice, y written, 7 flops an item (mean 1, variance 3, normalising 3). Else x once, 3 flops. */
export function batchNormCost({ rows, channels, training }: Sizes): Cost {
  const items = rows * channels;
  return { flops: items * (training ? 7 : 3), bytes: 4 * (items * (training ? 3 : 2) + 8 * channels) };
}

/** dy and x read for the sums, 5 flops; in training both again for dx, 5 flops, else dy alone, 1 flop. */
export function batchNormBackwardCost({ rows, channels, training }: Sizes): Cost {
  const items = rows * channels;
  return { flops: items * (training ? 10 : 6), bytes: 4 * (items * (training ? 5 : 4) + 5 * channels) };
}
