// The gradient of a cross-entropy loss comes along with the loss, where backward starts from it:
//
//   softmax_cross_entropy -> loss, normalizers, ...;  ...  fill 1 -> seed
//   softmax_cross_entropy_backward(logits, normalizers, target, seed, ...) -> dlogits
//   becomes  softmax_cross_entropy -> loss, normalizers, ..., dlogits
//
// The kernel gives the bits of the two in a row. It spares a read of the logits, and every exponential is taken once and not
// twice. The fill goes where nobody else reads it; what else the loss gives stays, for whoever reads it.
import { fillParams } from '../../ops/elementwise/params.js';
import { softmaxCrossEntropyParams } from '../../ops/softmax_cross_entropy/softmax_cross_entropy.js';
import { type RecordedOp, type RecordedOperand, sameBytes } from '../recording.js';
import { type Graph, namesOf, paramsOf, sameOperand } from './graph.js';

/** Both absent, or the same. */
function alike(a: RecordedOperand | null | undefined, b: RecordedOperand | null | undefined): boolean {
  return a && b ? sameOperand(a, b) : !a && !b;
}

/** The op that makes all of `seed` the constant 1 for whatever reads it. */
function constantOne(graph: Graph, seed: RecordedOperand): number | null {
  const [at, ...others] = graph.writes(seed.storage);
  const fill = at === undefined ? undefined : graph.ops[at];
  if (at === undefined || others.length > 0 || !graph.isTemporary(seed.storage)) return null;
  if (fill?.op !== 'fill' || fill.live !== null || !sameOperand(fill.outputs[0], seed)) return null;
  const { dtype, value } = paramsOf(fill, fillParams);
  return dtype === 0 && value === 1 ? at : null;
}

export function gradientWithLoss(graph: Graph): readonly RecordedOp[] {
  const ops: (RecordedOp | null)[] = [...graph.ops];
  graph.ops.forEach((backward, at) => {
    if (backward.op !== 'softmax_cross_entropy_backward' || backward.live !== null) return;
    const [logits, normalizers, target, classWeights, seed, divisor] = backward.inputs;
    const [dlogits] = backward.outputs;
    if (!logits || !normalizers || !target || !seed || !dlogits) return;
    const lossAt = graph.writes(normalizers.storage).findLast((i) => i < at);
    const loss = lossAt === undefined ? undefined : ops[lossAt];
    if (lossAt === undefined || loss?.op !== 'softmax_cross_entropy' || loss.live !== null || loss.outputs[4]) return;
    const same =
      sameOperand(loss.inputs[0], logits) &&
      sameOperand(loss.inputs[1], target) &&
      alike(loss.inputs[2], classWeights) &&
      sameOperand(loss.outputs[1], normalizers) &&
      alike(loss.outputs[3], divisor) &&
      sameBytes(loss.params, backward.params);
    const seedAt = constantOne(graph, seed);
    if (!same || paramsOf(loss, softmaxCrossEntropyParams).reduction === 0 || seedAt === null || seedAt > at) return;
    const still = [logits, normalizers, target, classWeights, divisor].every(
      (operand) => !operand || graph.unchanged(operand.storage, lossAt + 1, at),
    );
    // dlogits is now written earlier than it was, and while the loss reads and writes other memory.
    const { storage } = dlogits;
    const early = [...graph.reads(storage), ...graph.writes(storage)].some((i) => i >= lossAt && i < at);
    if (!still || early || backward.inputs.some((operand) => operand?.storage === storage)) return;
    ops[lossAt] = {
      ...loss,
      outputs: [...[0, 1, 2, 3].map((i) => loss.outputs[i] ?? null), dlogits],
      fused: [...namesOf(loss), ...namesOf(backward)],
    };
    ops[at] = null;
    if (graph.reads(seed.storage).length === 1) ops[seedAt] = null;
  });
  return ops.filter((op) => op !== null);
}
