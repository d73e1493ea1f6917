import type { Cost } from '../cost.js';

/** Each item read once and written once. */
export function stridedCopyCost({ count, itemBytes }: { count: number; itemBytes: number }): Cost {
  return { flops: 0, bytes: 2 * count * itemBytes };
}
