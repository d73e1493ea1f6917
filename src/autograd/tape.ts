// The tape: each result of a differentiable op points to a node, the node to the op's inputs and backward rule.
// Reverse mode is then a walk over nodes from the newest to the oldest.
import { AnnealError } from '../errors.js';
import { formatShape, sameShape } from '../tensor/shape.js';
import type { Place, Tensor } from '../tensor/tensor.js';
import { tracking } from '../tensor/tracker.js';

/**
 * The backward rule of one op call: the gradients with respect to its inputs, given that with respect to its output.
 * `needs[i]` tells whether input i wants one; null where it does not. Rules are made of ops, so that they can be
 * differentiated again. `places[i]`, where there is one, is memory for the gradient of input i: a rule may write it there
 * (`emptyAt`), or add it to the gradient that the place holds (`targetAt`), and return that very tensor, which spares a copy
 * into an optimizer's arena, or an addition.
 */
export type Backward = (
  dy: Tensor<'f32'>,
  needs: readonly boolean[],
  places: readonly Place[],
) => readonly (Tensor | null)[];

interface Saved {
  readonly tensor: Tensor;
  readonly version: number;
}

export interface Node {
  readonly id: number;
  /** What errors call it: the op's name. */
  readonly op: string;
  readonly inputs: readonly (Tensor | null)[];
  /** The nodes that made the inputs, as they were recorded: an input may have been disposed since. */
  readonly parents: readonly (Node | null)[];
  readonly shape: readonly number[];
  /** null once it was used and let go. */
  backward: Backward | null;
  saved: readonly Saved[];
}

let enabled = true;
let nodes = 0;

export function gradEnabled(): boolean {
  return enabled;
}

function withGrad<T>(value: boolean, fn: () => T): T {
  const before = enabled;
  enabled = value;
  try {
    return fn();
  } finally {
    enabled = before;
  }
}

/** Runs `fn` without recording: its results carry no gradient. */
export function noGrad<T>(fn: () => T): T {
  return withGrad(false, fn);
}

/** Runs `fn` recording, also inside `noGrad`. */
export function enableGrad<T>(fn: () => T): T {
  return withGrad(true, fn);
}

let replaying = false;

/** Whether a forward pass runs a second time, for its backward pass: state it keeps beyond its result must stay as it is. */
export function recomputing(): boolean {
  return replaying;
}

/** Runs `fn`, which has run before, again. */
export function recompute<T>(fn: () => T): T {
  const before = replaying;
  replaying = true;
  try {
    return enableGrad(fn);
  } finally {
    replaying = before;
  }
}

export interface RecordOptions {
  /** The tensors whose values the rule reads: inputs or the output. Default: all of them. */
  readonly saved?: readonly Tensor[];
  /** Also where no input carries a gradient: the rule knows of leaves that are no inputs. */
  readonly always?: boolean;
}

/** The result of an op, under the name that its user knows, for `leaks()`. `record` does so too. */
export function named<T extends Tensor>(op: string, output: T): T {
  tracking.by?.name(output.id, op, true);
  return output;
}

/** Puts the result of an op on the tape when recording is on and an input carries a gradient. Returns the result. */
export function record<T extends Tensor>(
  op: string,
  output: T,
  inputs: readonly (Tensor | null)[],
  backward: Backward,
  options: RecordOptions = {},
): T {
  named(op, output);
  if (!options.always && !records(inputs)) return output;
  const parents: (Node | null)[] = [];
  for (const input of inputs) parents.push(input?.node ?? null);
  const saved: Saved[] = [];
  for (const tensor of options.saved ?? [...inputs, output]) {
    if (tensor !== null) saved.push({ tensor, version: tensor.storage.version });
  }
  output.requiresGrad = true;
  output.node = { id: ++nodes, op, inputs, parents, shape: output.shape, backward, saved };
  return output;
}

/** Whether a result of these inputs goes on the tape: to spare what only `record` needs. */
export function records(inputs: readonly (Tensor | null)[]): boolean {
  if (!enabled) return false;
  for (const input of inputs) if (input?.requiresGrad) return true;
  return false;
}

/** The backward rule of a node that is about to run. @throws E_ARGUMENT when it was let go or a value was overwritten */
export function ruleOf(node: Node): Backward {
  if (node.backward === null) {
    throw new AnnealError(
      'E_ARGUMENT',
      `backward: expected a graph that was not used yet, but ${node.op} was already differentiated; pass { retainGraph: true } to the first backward`,
    );
  }
  for (const { tensor, version } of node.saved) {
    if (tensor.disposed) {
      throw new AnnealError(
        'E_DISPOSED',
        `backward: expected the tensors of ${node.op} to be alive, but one of shape ${formatShape(tensor.shape)} was disposed`,
      );
    }
    if (tensor.storage.version !== version) {
      throw new AnnealError(
        'E_ARGUMENT',
        `backward: expected the tensors of ${node.op} to be unchanged, but one of shape ${formatShape(tensor.shape)} was modified in place`,
      );
    }
  }
  return node.backward;
}

/** @throws E_SHAPE or E_ARGUMENT when a rule's gradients do not fit its inputs: a fault of the rule */
export function checkGradients(node: Node, gradients: readonly (Tensor | null)[]): void {
  if (gradients.length !== node.inputs.length) {
    throw new AnnealError(
      'E_ARGUMENT',
      `backward: expected ${node.inputs.length} gradients from ${node.op}, received ${gradients.length}`,
    );
  }
  for (let i = 0; i < gradients.length; i++) {
    const gradient = gradients[i];
    const input = node.inputs[i];
    if (gradient && input && !sameShape(gradient.shape, input.shape)) {
      throw new AnnealError(
        'E_SHAPE',
        `backward: expected the gradient of input ${i} of ${node.op} to have shape ${formatShape(input.shape)}, received ${formatShape(gradient.shape)}`,
      );
    }
  }
}
