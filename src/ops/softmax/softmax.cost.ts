import type { Cost } from '../cost.js';

/** An exponential (about 15), a sum and a division an item; x read once, y written. */
export function softmaxCost({ rows, cols }: { rows: number; cols: number }): Cost {
  return { flops: 18 * rows * cols, bytes: 8 * rows * cols };
}

/** Of softmax: two products, a difference, a sum an item. Of its logarithm: an exponential more. */
export function softmaxBackwardCost({ rows, cols, log }: { rows: number; cols: number; log: boolean }): Cost {
  return { flops: (log ? 18 : 4) * rows * cols, bytes: 12 * rows * cols };
}
