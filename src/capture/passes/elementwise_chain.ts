// Elementwise ops that feed one another become one op, which takes each tile of their operands through all of them while
// it is in the L1 cache (kernels/elementwise_chain/):
//
//   binary mul(a, b) -> t;  binary add(t, c) -> u;  unary relu(u) -> y     becomes  elementwise_chain(a, b, c) -> y
//
// for chains and trees of f32 ops over the same number of items, where each operand has that many or one. A result that
// somebody else reads too is stored as it was; one that is stored as f16 is rounded, so no step may read it. The functions and their order stay, so bits do not change. It spares a write
// and a read of each result that stays inside, and a read of one that does not.
//
// relu(a b + c) of 8 Mi items: op by op 3.23 ms, captured 3.01, as a chain 1.86 (PyTorch 1.13 in place 3.31); of 64 Ki: 24.5, 18.6
// and 10.9 us (34.4). More in kernels/elementwise_chain/README.md (2-core AMD EPYC Zen 5, two threads, 2026-11-25).
import { binaryCodes, binaryParams, unaryCodes, unaryParams } from '../../ops/elementwise/params.js';
import {
  BINARY_STEP,
  CHAIN_INPUTS,
  CHAIN_OUTPUTS,
  CHAIN_STEPS,
  type ChainOperand,
  chainOperand,
  elementwiseChainParams,
} from '../../ops/elementwise_chain/elementwise_chain.js';
import { isFloat } from '../../tensor/dtype.js';
import type { Memory, RecordedOp, RecordedOperand } from '../recording.js';
import { Graph, itemsOf, paramsOf, sameOperand } from './graph.js';

/** A function of the ops that may become a step. */
interface Step {
  /** Of the op in the list. */
  readonly at: number;
  readonly op: RecordedOp;
  readonly count: number;
  readonly code: number;
  readonly name: string;
  /** null for the scalar. */
  readonly operands: readonly (RecordedOperand | null)[];
  readonly out: RecordedOperand;
  readonly scalar: number;
  readonly alpha: number;
  readonly beta: number;
}

/** Ops that a member may go past: what moves far lives longer, and takes memory meanwhile. */
const REACH = 16;

/** Whether the operand is read in order, or is a single item. */
function isFlat(
  operand: RecordedOperand | null,
  count: number,
  dims: readonly number[],
  strides: readonly number[],
): boolean {
  if (operand === null) return true;
  let dense = 1;
  let [inOrder, still] = [true, true];
  for (let d = dims.length - 1; d >= 0; d--) {
    const dim = dims[d] ?? 1;
    if (dim === 1) continue;
    inOrder &&= strides[d] === dense;
    still &&= strides[d] === 0;
    dense *= dim;
  }
  return (inOrder && itemsOf(operand) === count) || (still && itemsOf(operand) === 1);
}

function stepOf(op: RecordedOp, at: number): Step | null {
  const [out] = op.outputs;
  // Truth values are i32.
  if (op.live !== null || !out || !isFloat(out.dtype)) return null;
  if (op.op === 'unary') {
    const { code, dtype, count, alpha, beta } = paramsOf(op, unaryParams);
    const [x] = op.inputs;
    if (dtype !== 0 || count === 0 || !x || itemsOf(x) !== count || itemsOf(out) !== count) return null;
    return { at, op, count, code, name: unaryCodes[code] ?? '', operands: [x], out, scalar: 0, alpha, beta };
  }
  if (op.op !== 'binary') return null;
  const { dtype, rank, scalar, alpha, beta, ...rest } = paramsOf(op, binaryParams);
  const [dims, strideA, strideB] = [rest.dims, rest.strideA, rest.strideB].map((list) => list.slice(0, rank));
  const count = dims?.reduce((a, b) => a * b, 1) ?? 0;
  const code = BINARY_STEP + rest.code;
  const [a = null, b = null] = op.inputs;
  if (dtype !== 0 || count === 0 || itemsOf(out) !== count) return null;
  if (!dims || !strideA || !strideB) return null;
  if (!isFlat(a, count, dims, strideA) || !isFlat(b, count, dims, strideB)) return null;
  return { at, op, count, code, name: binaryCodes[rest.code] ?? '', operands: [a, b], out, scalar, alpha, beta };
}

const overlap = (a: RecordedOperand, b: RecordedOperand): boolean =>
  a.storage === b.storage && a.byteOffset < b.byteOffset + b.bytes && b.byteOffset < a.byteOffset + a.bytes;

const meets = (list: RecordedOp['inputs'], operand: RecordedOperand): boolean =>
  list.some((each) => each && overlap(each, operand));

/** Whether one op may go past another: neither writes what the other reads or writes. */
const commute = (a: RecordedOp, b: RecordedOp): boolean =>
  a.outputs.every((out) => !out || (!meets(b.inputs, out) && !meets(b.outputs, out))) &&
  b.outputs.every((out) => !out || !meets(a.inputs, out));

/** Where, among the places of its members, a group may stand as one op; null if nowhere. */
function placeOf({ ops }: Graph, group: readonly Step[]): number | null {
  const members = new Set(group.map(({ at }) => at));
  /** Whether the member may go from its place to this one, past all that are not members. */
  const moves = ({ at, op }: Step, to: number): boolean => {
    let passed = 0;
    for (let i = Math.min(at, to) + 1; i < Math.max(at, to); i++) {
      const other = ops[i];
      if (other && !members.has(i) && (!commute(op, other) || ++passed > REACH)) return false;
    }
    return true;
  };
  return group.map(({ at }) => at).findLast((to) => group.every((member) => moves(member, to))) ?? null;
}

interface Chain {
  readonly place: number;
  readonly op: RecordedOp;
}

/** The group as one op; null if it cannot be. Members in their order. */
function chainOf(graph: Graph, group: readonly Step[]): Chain | null {
  if (group.length > CHAIN_STEPS) return null;
  const [first] = group;
  if (first === undefined) return null;
  const { count } = first;
  const members = new Set(group.map(({ at }) => at));
  const inputs: RecordedOperand[] = [];
  const lastRead: number[] = [];
  const readInside = new Set<number>();
  const named = group.map(({ operands }, s) =>
    operands.map((operand): ChainOperand | null => {
      if (operand === null) return 'scalar';
      // The last member before that wrote there, if it wrote just this.
      const writer = group.findLastIndex(({ out }, t) => t < s && overlap(out, operand));
      if (writer >= 0) {
        if (operand.dtype === 'f16' || !sameOperand(group[writer]?.out, operand)) return null;
        readInside.add(writer);
        return { step: writer };
      }
      let input = inputs.findIndex((each) => sameOperand(each, operand));
      if (input < 0) input = inputs.push(operand) - 1;
      lastRead[input] = s;
      return { input };
    }),
  );
  if (inputs.length === 0 || inputs.length > CHAIN_INPUTS || named.some((list) => list.includes(null))) return null;

  const isInside = (memory: Memory): boolean =>
    graph.isTemporary(memory) &&
    graph.writes(memory).length === 1 &&
    graph.reads(memory).every((reader) => members.has(reader));
  const outputs: RecordedOperand[] = [];
  const store = group.map(({ out }, s) => (readInside.has(s) && isInside(out.storage) ? 0 : outputs.push(out)));
  if (outputs.length > CHAIN_OUTPUTS) return null;
  // What the kernel asks of operands that share memory.
  const apart = outputs.every((out, o) => {
    const storedAt = store.indexOf(o + 1);
    return (
      outputs.every((other, i) => i === o || !overlap(out, other)) &&
      inputs.every(
        (input, i) =>
          !overlap(out, input) ||
          (sameOperand(out, input) && itemsOf(input) === count && (lastRead[i] ?? 0) <= storedAt),
      )
    );
  });
  if (!apart) return null;
  const place = placeOf(graph, group);
  if (place === null) return null;
  const words = (operand: ChainOperand | null | undefined): number => (operand ? chainOperand(operand) : 0);
  const params = elementwiseChainParams.encode({
    count,
    steps: group.length,
    single: inputs.reduce((bits, input, i) => bits | (itemsOf(input) === 1 && count !== 1 ? 1 << i : 0), 0),
    code: group.map(({ code }) => code),
    a: named.map(([a]) => words(a)),
    b: named.map(([, b]) => words(b)),
    store,
    scalar: group.map(({ scalar }) => scalar),
    alpha: group.map(({ alpha }) => alpha),
    beta: group.map(({ beta }) => beta),
  });
  return {
    place,
    op: {
      op: 'elementwise_chain',
      struct: elementwiseChainParams,
      params: params.slice(),
      live: null,
      inputs,
      outputs,
      fused: group.map(({ name }) => name),
    },
  };
}

/** Steps that give an operand to a member, or take one from it, nearest first. */
function neighbours(graph: Graph, group: readonly Step[], steps: readonly (Step | null)[]): Step[] {
  const found = new Map<number, number>();
  for (const { at, operands, out } of group) {
    const linked = operands.flatMap((operand) => (operand ? graph.writes(operand.storage) : [])).filter((i) => i < at);
    for (const i of [...linked, ...graph.reads(out.storage).filter((reader) => reader > at)])
      if (!group.some((member) => member.at === i)) found.set(i, Math.min(found.get(i) ?? Infinity, Math.abs(i - at)));
  }
  return [...found]
    .sort(([i, a], [j, b]) => a - b || i - j)
    .flatMap(([i]) => {
      const step = steps[i];
      return step && step.count === group[0]?.count ? step : [];
    });
}

export function fuseElementwiseChains(graph: Graph): readonly RecordedOp[] {
  let now = graph;
  let steps: (Step | null)[] = now.ops.map(stepOf);
  const known = new Map(now.ops.map((op, at) => [op, steps[at] ?? null]));
  for (let at = 0; at < now.ops.length; at++) {
    const seed = steps[at];
    if (!seed) continue;
    let group: Step[] = [seed];
    let chain: Chain | null = null;
    for (let grown = true; grown; ) {
      grown = false;
      for (const next of neighbours(now, group, steps)) {
        const larger = [...group, next].sort((a, b) => a.at - b.at);
        const made = chainOf(now, larger);
        if (made === null) continue;
        [group, chain, grown] = [larger, made, true];
        break;
      }
    }
    if (chain === null) continue;
    const { place, op } = chain;
    const members = new Set(group.map((member) => member.at));
    const ops = now.ops.flatMap((each, i) => (i === place ? op : members.has(i) ? [] : each));
    now = new Graph(ops, graph.isTemporary);
    steps = ops.map((each, i) => {
      const step = known.get(each);
      return step ? { ...step, at: i } : null;
    });
    at = -1 + Math.min(...members);
  }
  return now.ops;
}
