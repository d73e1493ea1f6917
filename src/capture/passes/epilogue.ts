// An activation, or the addition of a bias and an activation, right after a product moves into its epilogue:
//
//   sgemm | conv2d | depthwise_conv2d -> t;  [binary add(t, bias) -> u;]  unary relu | sigmoid | tanh (t or u) -> y
//   becomes  sgemm | conv2d | depthwise_conv2d (bias, activation) -> y
//
// where nobody else reads t or u, and neither is rounded to f16. The kernels add the bias after the whole sum and apply the same function to the same
// number, so bits do not change. It spares a read and a write of the result for each op that goes. Measured with the
// benchmark's CNN (batch 128, activations as layers of their own; 2-core AMD EPYC, 2026-11-25): three ops of 27 go, within the
// noise of 27 ms; its products are far longer than what follows them.
import { activationCode, type FusedActivation } from '../../ops/activation.js';
import { conv2dParams } from '../../ops/conv2d/conv2d.js';
import { depthwiseConv2dParams } from '../../ops/depthwise_conv2d/depthwise_conv2d.js';
import { binaryCode, binaryParams, unaryCode, unaryParams } from '../../ops/elementwise/params.js';
import { sgemmParams } from '../../ops/sgemm/sgemm.js';
import type { RecordedOp } from '../recording.js';
import { changed, type Graph, itemsOf, namesOf, paramsOf, sameOperand } from './graph.js';

const activations = new Map<number, FusedActivation>(
  (['relu', 'sigmoid', 'tanh'] as const).map((name) => [unaryCode.get(name) ?? -1, name]),
);

/** The columns of a product's result, if it has an epilogue that is not used yet. */
function columnsOf(op: RecordedOp): number | null {
  if (op.live !== null) return null;
  if (op.op === 'sgemm') {
    const { n, accumulate, activation } = paramsOf(op, sgemmParams);
    return accumulate === 0 && activation === 0 ? n : null;
  }
  if (op.op === 'conv2d') {
    const { oc, activation } = paramsOf(op, conv2dParams);
    return activation === 0 ? oc : null;
  }
  if (op.op === 'depthwise_conv2d') {
    const { c, m, activation } = paramsOf(op, depthwiseConv2dParams);
    return activation === 0 ? c * m : null;
  }
  return null;
}

/** Whether `add` adds a row of `columns` numbers to each row of the product's result. */
function addsBias(add: RecordedOp, product: RecordedOp, columns: number): boolean {
  if (add.op !== 'binary' || add.live !== null || product.inputs[2]) return false;
  const { code, dtype, rank, dims, strideA, strideB } = paramsOf(add, binaryParams);
  const [out] = product.outputs;
  if (code !== binaryCode.get('add') || dtype !== 0 || rank !== 2 || dims[1] !== columns || !out) return false;
  const bias = add.inputs[1] ?? null;
  return (
    bias !== null &&
    sameOperand(add.inputs[0], out) &&
    itemsOf(bias) === columns &&
    [strideA[0], strideA[1], strideB[0], strideB[1]].join() === `${columns},1,0,1`
  );
}

export function fuseEpilogues(graph: Graph): readonly RecordedOp[] {
  const ops: (RecordedOp | null)[] = [...graph.ops];
  ops.forEach((product, at) => {
    if (product === null) return;
    const columns = columnsOf(product);
    if (columns === null) return;
    let now = product;
    let last = at;
    /** Takes over the op that alone reads the result, if nothing it reads or writes is in use in between. */
    const next = (): RecordedOp | null => {
      const [result] = now.outputs;
      const reader = result?.dtype === 'f16' ? null : graph.onlyReader(result);
      return reader === null ? null : (ops[reader] ?? null);
    };
    const take = (op: RecordedOp, params: Readonly<Record<string, number>>, inputs: RecordedOp['inputs']): void => {
      now = changed(now, params, { inputs, outputs: op.outputs, fused: [...namesOf(now), ...namesOf(op)] });
      last = graph.ops.indexOf(op);
    };
    const taken: RecordedOp[] = [];
    const add = next();
    if (add !== null && addsBias(add, now, columns)) {
      const bias = add.inputs[1] ?? null;
      if (bias && graph.unchanged(bias.storage, at, graph.ops.indexOf(add))) {
        taken.push(add);
        take(add, {}, [now.inputs[0] ?? null, now.inputs[1] ?? null, bias]);
      }
    }
    const apply = next();
    if (apply !== null && apply.op === 'unary' && apply.live === null && sameOperand(apply.inputs[0], now.outputs[0])) {
      const { code, dtype } = paramsOf(apply, unaryParams);
      const name = activations.get(code);
      if (dtype === 0 && name !== undefined) {
        taken.push(apply);
        take(apply, { activation: activationCode('capture', name) }, now.inputs);
      }
    }
    const [target] = now.outputs;
    if (taken.length === 0 || !target) return;
    // The result is now written earlier than it was.
    const early = [...graph.reads(target.storage), ...graph.writes(target.storage)].some((i) => i > at && i < last);
    if (early) return;
    for (const op of taken) ops[graph.ops.indexOf(op)] = null;
    ops[at] = now;
  });
  return ops.filter((op) => op !== null);
}
