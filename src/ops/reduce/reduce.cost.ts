import type { Cost } from '../cost.js';

interface Reduced {
  readonly items: number;
  readonly outputs: number;
  /** Whether the result is added to what is there. */
  readonly accumulate: boolean;
}

/** One operation an item; x read once, out written, and read where it is added to. */
export function reduceCost({ items, outputs, accumulate }: Reduced): Cost {
  return { flops: items, bytes: 4 * (items + (accumulate ? 2 : 1) * outputs) };
}
