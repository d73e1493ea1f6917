import type { Cost } from '../cost.js';
import { flopsOf } from '../elementwise/elementwise.cost.js';
import { binaryCodes, unaryCodes } from '../elementwise/params.js';
import { BINARY_STEP } from './elementwise_chain.js';

/** The flops of all steps; inputs read and outputs written once each. */
export function elementwiseChainCost({
  count,
  steps,
  code,
  operandItems,
}: {
  readonly count: number;
  readonly steps: number;
  readonly code: readonly number[];
  /** Of all inputs and outputs together. */
  readonly operandItems: number;
}): Cost {
  const flops = code
    .slice(0, steps)
    .reduce((sum, c) => sum + flopsOf(c < BINARY_STEP ? unaryCodes[c] : binaryCodes[c - BINARY_STEP]), 0);
  return { flops: count * flops, bytes: 4 * operandItems };
}
