import type { Cost } from '../cost.js';

/** Rounds of Philox: 10 integer multiplications and some 15 other operations an item count as one flop each. */
const FLOPS_PER_DRAW = 25;

/** n items written. */
export function randomCost({ n }: { n: number }): Cost {
  return { flops: FLOPS_PER_DRAW * n, bytes: 4 * n };
}

/** x read, y written. */
export function dropoutCost({ n }: { n: number }): Cost {
  return { flops: (FLOPS_PER_DRAW + 1) * n, bytes: 8 * n };
}
