import type { Cost } from '../cost.js';

/** Each row read once and written once; an index for each. */
export function gatherCost({ count, width, itemBytes }: { count: number; width: number; itemBytes: number }): Cost {
  return { flops: 0, bytes: count * (2 * width * itemBytes + 4) };
}

/** An addition an item; the rows of dy read once, the table written once. */
export function gatherBackwardCost({ rows, count, width }: { rows: number; count: number; width: number }): Cost {
  return { flops: count * width, bytes: 4 * (count * width + count + rows * width) };
}
