// The flat arena: parameters and gradients of a model as two parallel flat buffers, optimizer state as more of them. Each
// parameter is a view, so an update of the whole model is one launch.
import { AnnealError } from '../errors.js';
import { zeros } from '../ops/creation.js';
import { copyInto } from '../ops/strided_copy/strided_copy.js';
import { effect } from '../tensor/recorder.js';
import { keep } from '../tensor/scope.js';
import { formatShape } from '../tensor/shape.js';
import { empty, type Tensor } from '../tensor/tensor.js';
import { ROW } from './segment_table.js';

type Parameter = Tensor<'f32'>;

/** Elements: segments begin at multiples of 16 floats, a cache line, from the start of the buffer. */
const ALIGNMENT = 16;
/** Segment bounds are i32. */
const LARGEST = 2 ** 31 - 1;

export interface Segment {
  readonly name: string;
  readonly parameter: Parameter;
  /** Elements [begin, end) of the arena. */
  readonly begin: number;
  readonly end: number;
}

/** Parameters that lie in an arena that is not disposed. */
const owned = new WeakSet<Parameter>();

/**
 * Moves parameters into one buffer, where they keep their values, and gives each a slot for its gradient in another. A
 * tensor under two names is one segment, under the first.
 */
export class ParameterArena {
  readonly segments: readonly Segment[];
  /** Elements, padding included. */
  readonly size: number;
  readonly params: Parameter;
  readonly grads: Parameter;
  /** i32 [segments, 8]: the table the kernels read. */
  readonly table: Tensor<'i32'>;
  readonly #buffers: Tensor[] = [];
  readonly #slots: Parameter[];
  #disposed = false;

  /** @throws E_ARGUMENT when there is none, one is not a leaf, or one belongs to an optimizer; E_DEVICE; E_DTYPE */
  constructor(parameters: Iterable<readonly [string, Parameter]>) {
    const unique = new Map<Parameter, string>();
    for (const [name, parameter] of parameters) if (!unique.has(parameter)) unique.set(parameter, name);
    const [first] = unique.keys();
    if (first === undefined)
      throw new AnnealError('E_ARGUMENT', 'optimizer: expected one or more parameters, received none');
    let begin = 0;
    const segments: Segment[] = [];
    for (const [parameter, name] of unique) {
      check(name, parameter, first);
      const end = begin + parameter.size;
      segments.push({ name, parameter, begin, end });
      begin = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    }
    if (begin > LARGEST) {
      throw new AnnealError('E_RANGE', `optimizer: expected at most ${LARGEST} parameters, received ${begin}`);
    }
    this.segments = segments;
    this.size = begin;
    try {
      this.params = this.allocate(first.device);
      this.grads = this.allocate(first.device);
      this.table = this.own(empty([segments.length, ROW], 'i32', first.device));
    } catch (error) {
      for (const buffer of this.#buffers) buffer.dispose();
      throw error;
    }
    for (const segment of segments) {
      const { parameter } = segment;
      const place = this.view(this.params, segment);
      if (parameter.size > 0) copyInto(place, parameter);
      parameter.rebase(place);
      place.dispose();
      parameter.grad?.dispose();
      parameter.grad = null;
      owned.add(parameter);
    }
    this.#slots = segments.map((segment) => this.view(this.grads, segment));
    for (let i = 0; i < segments.length; i++) this.attach(i);
  }

  /** The place of a parameter's gradient. */
  slot(index: number): Parameter {
    const slot = this.#slots[index];
    if (slot === undefined)
      throw new AnnealError('E_RANGE', `arena: expected a segment below ${this.#slots.length}, received ${index}`);
    return slot;
  }

  /** Backward puts the parameter's gradient into the arena from now on. */
  attach(index: number): void {
    const parameter = this.segments[index]?.parameter;
    if (parameter) parameter.gradSlot = this.slot(index);
  }

  /** Backward leaves the arena alone: the parameter's gradient, if it still wants one, is a tensor of its own. */
  detach(index: number): void {
    const parameter = this.segments[index]?.parameter;
    if (!parameter) return;
    this.dropGradient(index);
    parameter.gradSlot = null;
  }

  /** The parameter has no gradient from now on. */
  dropGradient(index: number): void {
    const parameter = this.segments[index]?.parameter;
    if (!parameter) return;
    effect(parameter, () => {
      if (parameter.grad !== this.slot(index)) parameter.grad?.dispose();
      parameter.grad = null;
    });
  }

  /** Another buffer parallel to the parameters, zeroed. It lives as long as the arena. */
  allocate(device = this.params.device): Parameter {
    return this.own(zeros([this.size], { device }));
  }

  /** A tensor lives as long as the arena from now on. Returns it. */
  own<T extends Tensor>(tensor: T): T {
    this.#buffers.push(keep(tensor));
    return tensor;
  }

  /** A segment's part of a parallel buffer, in its parameter's shape. The caller's to dispose. */
  view(buffer: Parameter, { parameter, begin }: Segment): Parameter {
    return keep(buffer.view(parameter.shape, begin));
  }

  /** Lets go of the arena. Parameters keep their values and the memory they lie in; gradients are gone. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.segments.forEach(({ parameter }, i) => {
      this.detach(i);
      owned.delete(parameter);
    });
    for (const buffer of [...this.#slots, ...this.#buffers]) buffer.dispose();
  }
}

function check(name: string, parameter: Parameter, first: Parameter): void {
  if (parameter.dtype !== 'f32') {
    throw new AnnealError('E_DTYPE', `optimizer: expected '${name}' to be f32, received ${String(parameter.dtype)}`);
  }
  if (!parameter.isLeaf) {
    throw new AnnealError(
      'E_ARGUMENT',
      `optimizer: expected '${name}' ${formatShape(parameter.shape)} to be a leaf, received the result of an op`,
    );
  }
  if (owned.has(parameter)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `optimizer: expected '${name}' to be free, received one that belongs to another optimizer; dispose() that first`,
    );
  }
  if (parameter.device !== first.device) {
    throw new AnnealError('E_DEVICE', `optimizer: expected '${name}' on ${first.device}, received ${parameter.device}`);
  }
}
