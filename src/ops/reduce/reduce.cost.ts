import type { Cost } from '../cost.js';

/** One operation an item; x read once, out written. */
export function reduceCost({ items, outputs }: { items: number; outputs: number }): Cost {
  return { flops: items, bytes: 4 * (items + outputs) };
}
