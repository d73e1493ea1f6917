// The passes, in their order. Each rewrites a list of ops into one that does the same, to the last bit, with less to do.
import type { Memory, RecordedOp } from '../recording.js';
import { gradientWithLoss } from './cross_entropy.js';
import { fuseElementwiseChains } from './elementwise_chain.js';
import { fuseEpilogues } from './epilogue.js';
import { Graph } from './graph.js';
import { overwrite, separate } from './in_place.js';
import { maskBeforePooling } from './pooling_mask.js';

/** New ops for those of the graph. */
export type Pass = (graph: Graph) => readonly RecordedOp[];

export const passes: Readonly<Record<string, Pass>> = {
  separate,
  fuseEpilogues,
  maskBeforePooling,
  gradientWithLoss,
  fuseElementwiseChains,
  overwrite,
};

export function optimize(ops: readonly RecordedOp[], isTemporary: (memory: Memory) => boolean): readonly RecordedOp[] {
  return Object.values(passes).reduce((now, pass) => pass(new Graph(now, isTemporary)), ops);
}
