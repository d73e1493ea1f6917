import type { Cost } from '../cost.js';

interface Sizes {
  readonly rows: number;
  readonly cols: number;
}

/** Mean 1, variance 3, normalising and scaling 4 flops an item; x read, y written. */
export function layerNormCost({ rows, cols }: Sizes): Cost {
  return { flops: 8 * rows * cols, bytes: 4 * (2 * rows * cols + 2 * rows + 2 * cols) };
}

/** dy and x read, dx written; 14 flops an item. */
export function layerNormBackwardCost({ rows, cols }: Sizes): Cost {
  return { flops: 14 * rows * cols, bytes: 4 * (3 * rows * cols + 2 * rows + 3 * cols) };
}
