// The parameters of elementwise_chain: several elementwise functions in one pass (kernels/elementwise_chain/). There is no
// public op of this name: captured plans put it where single ops stood (src/capture/passes/elementwise_chain.ts).
import { type DecodedOf, struct } from '../../backend/params.js';

export const CHAIN_STEPS = 8;
export const CHAIN_INPUTS = 8;
export const CHAIN_OUTPUTS = 8;
/** A step's code is a unary code, or this and a binary code. */
export const BINARY_STEP = 64;

export const elementwiseChainParams = struct('elementwise_chain', {
  count: 'u32',
  steps: 'u32',
  single: 'u32',
  code: ['u32', CHAIN_STEPS],
  a: ['u32', CHAIN_STEPS],
  b: ['u32', CHAIN_STEPS],
  store: ['u32', CHAIN_STEPS],
  scalar: ['f32', CHAIN_STEPS],
  alpha: ['f32', CHAIN_STEPS],
  beta: ['f32', CHAIN_STEPS],
});

/** What a step reads: its scalar, an input, or the result of an earlier step. */
export type ChainOperand = 'scalar' | { readonly input: number } | { readonly step: number };

/** An operand as a step's parameters name it. */
export function chainOperand(operand: ChainOperand): number {
  if (operand === 'scalar') return 0;
  return 'input' in operand ? 1 + operand.input : 1 + CHAIN_INPUTS + operand.step;
}

/** The inputs that have an item for each result and that no step reads after the one whose result is output `output`: it may overwrite them. */
export function inputsReadUpTo(
  { steps, single, a, b, store }: DecodedOf<typeof elementwiseChainParams>,
  output: number,
): ReadonlySet<number> {
  const storedAt = store.indexOf(output + 1);
  const later = [...a.slice(storedAt + 1, steps), ...b.slice(storedAt + 1, steps)];
  const found = new Set<number>();
  for (let i = 0; i < CHAIN_INPUTS; i++)
    if (((single >> i) & 1) === 0 && !later.includes(chainOperand({ input: i }))) found.add(i);
  return found;
}
