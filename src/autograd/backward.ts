// Reverse mode: from a result back to the leaves, newest node first, each node once.
import { span } from '../backend/tracing.js';
import { AnnealError } from '../errors.js';
import { full, zeros } from '../ops/creation.js';
import { add, addInto } from '../ops/elementwise/elementwise.js';
import { copyInto } from '../ops/strided_copy/strided_copy.js';
import { effect, guard, recording } from '../tensor/recorder.js';
import { innermost, keep, scope } from '../tensor/scope.js';
import { formatShape, sameShape } from '../tensor/shape.js';
import { empty, type GradientPlace, type Place, Tensor } from '../tensor/tensor.js';
import { checkGradients, enableGrad, type Node, noGrad, ruleOf } from './tape.js';

export interface BackwardOptions {
  /** Keep the graph, to go through it again. Default: createGraph. */
  readonly retainGraph?: boolean;
  /** Record the backward pass itself, for second derivatives. Default false. */
  readonly createGraph?: boolean;
}

type Gradient = Tensor<'f32'>;

const nowhere: ReadonlySet<Tensor> = new Set();

/** The nodes behind `root` up to `stops`, newest first: a node's id is larger than those of the nodes it uses. */
function collect(root: Node, stops: ReadonlySet<Tensor>): Node[] {
  const seen = new Set<Node>([root]);
  const open = [root];
  for (let node = open.pop(); node; node = open.pop()) {
    for (let i = 0; i < node.parents.length; i++) {
      const parent = node.parents[i];
      const input = node.inputs[i];
      if (parent && input && !stops.has(input) && !seen.has(parent)) {
        seen.add(parent);
        open.push(parent);
      }
    }
  }
  return [...seen].sort((a, b) => b.id - a.id);
}

function isGradient(tensor: Tensor): tensor is Gradient {
  return tensor.dtype === 'f32';
}

function asGradient(op: string, tensor: Tensor): Gradient {
  if (isGradient(tensor)) return tensor;
  throw new AnnealError('E_DTYPE', `backward: expected an f32 gradient from ${op}, received ${tensor.dtype}`);
}

/** Where a leaf's gradient may be written at once, or added: its slot in an optimizer's arena. */
function placeFor(node: Node, i: number): GradientPlace | null {
  const input = node.inputs[i];
  if (!input || node.parents[i] || input.gradSlot === null) return null;
  guardGradient(input);
  if (input.grad !== null && input.grad !== input.gradSlot) return null;
  if (node.inputs.indexOf(input) !== node.inputs.lastIndexOf(input)) return null;
  return { tensor: input.gradSlot, holds: input.grad !== null };
}

/**
 * A rule's gradients, which are the walk's alone, or the place it was given for one: whatever else the rule made is
 * disposed.
 */
function applyRule(node: Node, dy: Gradient, createGraph: boolean, inPlace: boolean): readonly (Gradient | null)[] {
  const rule = ruleOf(node);
  const needs: boolean[] = [];
  const places: Place[] = [];
  for (let i = 0; i < node.inputs.length; i++) {
    needs.push(node.inputs[i]?.requiresGrad ?? false);
    places.push(inPlace && needs[i] ? placeFor(node, i) : null);
  }
  const run = (): (Gradient | null)[] => {
    const results = rule(dy, needs, places);
    checkGradients(node, results);
    const scoped = innermost();
    const gradients: (Gradient | null)[] = [];
    for (let i = 0; i < results.length; i++) {
      const result = results[i];
      if (!result || !needs[i]) {
        gradients.push(null);
        continue;
      }
      const gradient = asGradient(node.op, result);
      // What the rule made leaves its scope as it is; what it was given, or gives twice, as a view.
      const leaves = createGraph || gradient === places[i]?.tensor;
      const fresh = leaves || (gradient.owner === scoped && !gradients.includes(gradient));
      gradients.push(fresh ? gradient : gradient.view(gradient.shape));
    }
    return gradients;
  };
  return createGraph ? enableGrad(run) : noGrad(() => scope(run));
}

/**
 * Walks the tape from `output` with gradient `seed`, of which it takes possession, and hands gradients to `leaf` at
 * leaves and at `stops`. With `inPlace`, the gradient of a leaf that has a slot may come in that slot, added to what was there.
 */
function walk(
  output: Tensor,
  seed: Gradient,
  options: BackwardOptions,
  leaf: (tensor: Tensor, gradient: Gradient) => void,
  stops: ReadonlySet<Tensor> = nowhere,
  inPlace = false,
): void {
  const { createGraph = false, retainGraph = createGraph } = options;
  const drop = (gradient: Gradient): void => {
    if (!createGraph) gradient.dispose();
  };
  const sum = (a: Gradient, b: Gradient): Gradient => {
    const added = (): Tensor => add(a, b);
    if (createGraph) return asGradient('add', enableGrad(added));
    const [into, from] = a.storage.shared ? [b, a] : [a, b];
    if (!into.storage.shared) {
      addInto(into, from);
      from.dispose();
      return into;
    }
    const total = noGrad(added);
    a.dispose();
    b.dispose();
    return asGradient('add', total);
  };
  if (output.node === null || stops.has(output)) {
    leaf(output, seed);
    return;
  }
  const pending = new Map<Node, Gradient>([[output.node, seed]]);
  for (const node of collect(output.node, stops)) {
    const dy = pending.get(node);
    if (dy === undefined) continue;
    pending.delete(node);
    const gradients = applyRule(node, dy, createGraph, inPlace && !createGraph);
    // Before its memory, if a gradient is a view of it, goes on to a leaf.
    drop(dy);
    for (let i = 0; i < gradients.length; i++) {
      const gradient = gradients[i];
      const input = node.inputs[i];
      const parent = node.parents[i];
      if (!gradient || !input) continue;
      if (!parent || stops.has(input)) {
        leaf(input, gradient);
        continue;
      }
      const other = pending.get(parent);
      pending.set(parent, other === undefined ? gradient : sum(other, gradient));
    }
    if (!retainGraph) {
      node.backward = null;
      node.saved = [];
    }
  }
}

function seedFor(op: string, output: Tensor, seed: Tensor | undefined): Gradient {
  if (!output.requiresGrad) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${op}: expected a result that depends on a tensor with requireGrad(), received one that does not`,
    );
  }
  if (seed === undefined) {
    if (output.size !== 1) {
      throw new AnnealError(
        'E_SHAPE',
        `${op}: expected a scalar or an explicit gradient, received shape ${formatShape(output.shape)}`,
      );
    }
    return full(output.shape, 1, { device: output.device });
  }
  if (!sameShape(seed.shape, output.shape)) {
    throw new AnnealError(
      'E_SHAPE',
      `${op}: expected a gradient of shape ${formatShape(output.shape)}, received ${formatShape(seed.shape)}`,
    );
  }
  return asGradient(op, seed).view(seed.shape);
}

/** Gives up the gradient for one of the same values whose memory no other tensor views. */
function own(gradient: Gradient): Gradient {
  if (!gradient.storage.shared) return gradient;
  const copy = empty(gradient.shape, 'f32', gradient.device);
  copyInto(copy, gradient);
  gradient.dispose();
  return copy;
}

/** A leaf from outside of what is being captured. */
const outlives = (leaf: Tensor): boolean => recording.by !== null && !recording.by.made(leaf.storage);

/** What is done with a leaf's gradient depends on whether it has one, and on where it goes. */
function guardGradient(leaf: Tensor): void {
  if (!outlives(leaf)) return;
  guard(() => (leaf.grad === null || leaf.grad.disposed ? null : leaf.grad.storage), leaf);
  guard(() => leaf.gradSlot);
}

/** Makes a gradient, which the leaf takes possession of, its `grad`. */
function give(leaf: Tensor, gradient: Gradient): void {
  if (!outlives(leaf)) {
    leaf.grad = keep(gradient);
    return;
  }
  if (gradient.node !== null)
    recording.by?.refuse('leaves no graph behind', `one that gives ${leaf} a gradient with createGraph`);
  // Each replay writes the same memory, of which the leaf then has a tensor again.
  const { storage, offset, shape } = gradient;
  effect(leaf, () => {
    leaf.grad = keep(new Tensor(storage.retain(), offset, shape, 'f32'));
  });
  gradient.dispose();
}

/** Adds a gradient to a leaf's `grad`, of which the leaf takes possession, or to its slot in an optimizer's arena. */
function accumulate(leaf: Tensor, gradient: Gradient, createGraph: boolean): void {
  guardGradient(leaf);
  const { grad, gradSlot } = leaf;
  if (gradSlot !== null) {
    if (gradient !== gradSlot) {
      if (grad === null) copyInto(gradSlot, gradient);
      else addInto(gradSlot, gradient);
      gradient.dispose();
    }
    effect(leaf, () => {
      leaf.grad = gradSlot;
    });
  } else if (grad === null) {
    give(leaf, createGraph ? gradient : own(gradient));
  } else if (createGraph || grad.node !== null || (grad.storage.shared && !outlives(leaf))) {
    // Others see its memory: a graph, or a view that somebody took. (Of a captured one, the plan that wrote it has a share.)
    give(leaf, asGradient('add', createGraph ? add(grad, gradient) : noGrad(() => add(grad, gradient))));
  } else {
    addInto(grad, gradient);
    gradient.dispose();
  }
}

/**
 * Computes the gradient of `output` with respect to every leaf that requires one and adds it to the leaf's `grad`.
 * `seed`: the gradient with respect to `output`, of its shape; 1 for a scalar. The graph is let go afterwards unless
 * retained. @throws E_ARGUMENT when the output carries no gradient, the graph was used up, or a value it needs was
 * overwritten
 */
export function backward(output: Tensor, seed?: Tensor, options: BackwardOptions = {}): void {
  const { createGraph = false } = options;
  const run = (): void =>
    walk(
      output,
      seedFor('backward', output, seed),
      options,
      (tensor, gradient) => accumulate(tensor, gradient, createGraph),
      nowhere,
      true,
    );
  span('backward', createGraph ? run : () => scope(run));
}

/**
 * The gradients of `output` with respect to `inputs`, leaving every `grad` alone; zeros where the output does not
 * depend on an input. The inputs count as independent of each other. @throws as `backward`
 */
export function gradients(
  output: Tensor,
  inputs: readonly Tensor[],
  seed?: Tensor,
  options: BackwardOptions = {},
): Gradient[] {
  const { createGraph = false } = options;
  const found = new Map<Tensor, Gradient>();
  const wanted = new Set(inputs);
  const leaf = (tensor: Tensor, gradient: Gradient): void => {
    if (!wanted.has(tensor)) return;
    const other = found.get(tensor);
    found.set(tensor, other === undefined ? gradient : asGradient('add', add(other, gradient)));
  };
  const run = (): Gradient[] => {
    walk(output, seedFor('grad', output, seed), options, leaf, wanted);
    return inputs.map((input) => {
      const gradient = found.get(input);
      if (gradient === undefined) return zeros(input.shape, { device: input.device });
      const owned = createGraph ? gradient : own(gradient);
      found.set(input, owned);
      return owned;
    });
  };
  return createGraph ? run() : scope(run);
}

/**
 * Goes on with a backward pass through a graph of its own: the gradients of `output` with respect to `inputs`, given that
 * with respect to `output`; null where it does not depend on one. Other leaves get theirs added to `grad`, as by `backward`.
 */
export function backwardThrough(output: Tensor, dy: Tensor, inputs: readonly Tensor[]): (Tensor | null)[] {
  const found = new Map<Tensor, Gradient>();
  const wanted = new Set(inputs);
  const leaf = (tensor: Tensor, gradient: Gradient): void => {
    const other = found.get(tensor);
    if (!wanted.has(tensor)) accumulate(tensor, gradient, false);
    else found.set(tensor, other === undefined ? gradient : asGradient('add', add(other, gradient)));
  };
  walk(output, seedFor('backward', output, dy), {}, leaf, wanted, true);
  return inputs.map((input) => found.get(input) ?? null);
}
