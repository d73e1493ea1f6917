// A tensor: a contiguous row-major view (storage, offset, shape, dtype) and, when gradients flow, its place on the tape.

import type { Node } from '../autograd/tape.js';
import type { Backend, DeviceName } from '../backend/backend.js';
import { backendOf, defaultDevice } from '../backend/device.js';
import { AnnealError } from '../errors.js';
import { type DType, dtypeOf, type HostArray, hostArray, itemBytes, storedArray, type TypedArrayOf } from './dtype.js';
import { recording } from './recorder.js';
import { defineTensorTest, innermost, type Owner } from './scope.js';
import { checkShape, formatShape, type Shape, sameShape, sizeOf } from './shape.js';
import { Storage } from './storage.js';
import { tracking } from './tracker.js';

/** What a finalizer needs to free a tensor that nobody disposed: it must not reference the tensor itself. */
interface Claim {
  storage: Storage;
  readonly id: number;
}

let live = 0;
let created = 0;

// The last net. A buffer freed here was dropped by its user, who has not called dispose() or used a scope.
const finalizers = new FinalizationRegistry<Claim>(({ storage, id }) => {
  tracking.by?.delete(id);
  storage.release(true);
  live--;
});

// Telling the registry of a tensor, and that it may forget it, costs more than the rest of a tensor (0.7 us), and most
// tensors that no scope owns are disposed soon. So they are told later: before the next task, which is when finalizers
// run at the earliest, or when many have come together.
const NURSERY = 256;
const nursery: Tensor[] = [];
const settled = Promise.resolve();
let watch: (tensor: Tensor) => void;

function watchNursery(): void {
  for (const tensor of nursery.splice(0)) watch(tensor);
}

/** The id of the tensor made last. */
export function lastTensorId(): number {
  return created;
}

/** The number of tensors that are not disposed. */
export function liveTensors(): number {
  return live;
}

export class Tensor<D extends DType = DType> {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: D;
  readonly size: number;
  /** Whether gradients flow to this tensor. Set on leaves; results of ops inherit it. */
  requiresGrad = false;
  /** The gradient of a leaf after `backward()`; gradients add up until `zeroGrad`. */
  grad: Tensor<'f32'> | null = null;
  /** The op that made this tensor, while gradients may flow through it. */
  node: Node | null = null;
  /** A place for the gradient to be written to, for parameters that live in an optimizer's arena. */
  gradSlot: Tensor<'f32'> | null = null;
  /** The scope that will dispose this tensor; null when none will. */
  owner: Owner | null = null;
  #storage: Storage | null;
  #offset: number;
  /** What the finalizer has, once it knows of this tensor. */
  #claim: Claim | null = null;

  static {
    watch = (tensor) => {
      if (tensor.owner !== null || tensor.#storage === null || tensor.#claim !== null) return;
      tensor.#claim = { storage: tensor.#storage, id: tensor.id };
      finalizers.register(tensor, tensor.#claim, tensor.#claim);
    };
  }

  /** Views `storage`, taking over one reference to it. */
  constructor(storage: Storage, offset: number, shape: Shape, dtype: D) {
    this.id = ++created;
    this.shape = shape;
    this.dtype = dtype;
    this.size = sizeOf(shape);
    this.#storage = storage;
    this.#offset = offset;
    live++;
    tracking.by?.add(this, storage.shared ? 'view' : null);
    this.moveTo(innermost());
  }

  /** Hands the tensor to a scope, or to none: then the finalizer watches it. */
  moveTo(owner: Owner | null): void {
    this.owner = owner;
    if (owner !== null) {
      owner.made.push(this);
    } else if (this.#claim === null) {
      if (nursery.length >= NURSERY) watchNursery();
      else if (nursery.length === 0) void settled.then(watchNursery);
      nursery.push(this);
    }
  }

  /** The memory behind this tensor. @throws E_DISPOSED */
  get storage(): Storage {
    const storage = this.#storage;
    if (storage === null) {
      throw new AnnealError(
        'E_DISPOSED',
        `expected a live tensor, received one of shape ${formatShape(this.shape)} that was disposed`,
      );
    }
    return storage;
  }

  /** Elements from the start of the storage. */
  get offset(): number {
    return this.#offset;
  }

  get rank(): number {
    return this.shape.length;
  }

  get device(): DeviceName {
    return this.storage.backend.name;
  }

  get disposed(): boolean {
    return this.#storage === null;
  }

  get byteOffset(): number {
    return this.offset * itemBytes(this.dtype);
  }

  get byteLength(): number {
    return this.size * itemBytes(this.dtype);
  }

  /** A leaf is made by its user, not by an op on the tape. */
  get isLeaf(): boolean {
    return this.node === null;
  }

  /** A copy of the values, once the ops that make them are done. Never blocks. @throws the failure of such an op */
  data(): Promise<TypedArrayOf<D>> {
    refuseRead('data');
    return this.#read();
  }

  async #read(): Promise<TypedArrayOf<D>> {
    const { backend, handle } = this.storage;
    const buffer = await backend.read(handle, this.byteOffset, this.byteLength);
    return hostArray(this.dtype, buffer) as TypedArrayOf<D>;
  }

  /** As `data()`, blocking this thread until the device is done. */
  dataSync(): TypedArrayOf<D> {
    refuseRead('dataSync');
    const { backend, handle } = this.storage;
    return hostArray(this.dtype, backend.readSync(handle, this.byteOffset, this.byteLength)) as TypedArrayOf<D>;
  }

  /** The value of a tensor with one element. @throws E_SHAPE */
  item(): Promise<number> {
    refuseRead('item');
    return this.#item();
  }

  async #item(): Promise<number> {
    this.#checkItem();
    return (await this.#read())[0] ?? Number.NaN;
  }

  /** As `item()`, blocking. */
  itemSync(): number {
    this.#checkItem();
    return this.dataSync()[0] ?? Number.NaN;
  }

  #checkItem(): void {
    if (this.size !== 1) {
      throw new AnnealError(
        'E_SHAPE',
        `item: expected a tensor with one element, received shape ${formatShape(this.shape)}`,
      );
    }
  }

  /** Another view of the same memory, off the tape. Used by reshape and by optimizers; see `detach` for users. */
  view(shape: Shape, offset: number = this.offset): Tensor<D> {
    checkShape('view', shape);
    const end = (offset + sizeOf(shape)) * itemBytes(this.dtype);
    if (!Number.isInteger(offset) || offset < 0 || end > this.storage.bytes) {
      throw new AnnealError(
        'E_RANGE',
        `view: expected ${formatShape(shape)} at ${offset} to lie within ${this.storage.bytes} bytes`,
      );
    }
    recording.by?.used(this);
    return new Tensor(this.storage.retain(), offset, shape, this.dtype);
  }

  /** The same values, cut off from the tape: no gradient flows back through it. */
  detach(): Tensor<D> {
    return this.view(this.shape);
  }

  /** Marks a leaf so that gradients are collected in `grad`. Returns it. @throws E_DTYPE unless f32 */
  requireGrad(): this {
    if (this.dtype !== 'f32') {
      throw new AnnealError('E_DTYPE', `requireGrad: expected an f32 tensor, received ${this.dtype}`);
    }
    if (this.node !== null) {
      throw new AnnealError(
        'E_ARGUMENT',
        'requireGrad: expected a leaf, received the result of an op; detach() it first',
      );
    }
    this.requiresGrad = true;
    return this;
  }

  /** Overwrites the values from the host. In place: backward refuses if a value it needs was overwritten. */
  write(values: ArrayLike<number> | TypedArrayOf<D>): void {
    if (values.length !== this.size) {
      throw new AnnealError('E_SHAPE', `write: expected ${this.size} values, received ${values.length}`);
    }
    const { backend, handle } = this.storage;
    const host = storedArray(this.dtype, values);
    if (recording.by !== null) {
      const bytes = new Uint8Array(host.buffer, host.byteOffset, host.byteLength);
      recording.by.written(this.storage, this.byteOffset, bytes);
    }
    backend.write(handle, this.byteOffset, host);
    this.storage.version++;
  }

  /** Moves this tensor onto other memory of the same size, e.g. into an optimizer's arena. The old memory is let go. */
  rebase(target: Tensor<D>): Tensor<D> {
    if (!sameShape(this.shape, target.shape)) {
      throw new AnnealError(
        'E_SHAPE',
        `rebase: expected shape ${formatShape(this.shape)}, received ${formatShape(target.shape)}`,
      );
    }
    const previous = this.storage;
    this.#storage = target.storage.retain();
    if (this.#claim !== null) this.#claim.storage = this.#storage;
    this.#offset = target.offset;
    previous.release();
    return this;
  }

  /** Lets go of the memory now. Calling it again does nothing. */
  dispose(): void {
    if (this.#storage === null) return;
    if (this.#claim !== null) finalizers.unregister(this.#claim);
    tracking.by?.delete(this.id);
    this.#storage.release();
    this.#storage = null;
    live--;
    this.node = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `Tensor(${this.dtype} ${formatShape(this.shape)}${this.disposed ? ', disposed' : ''})`;
  }
}

defineTensorTest((value): value is Tensor => value instanceof Tensor);

/** A tensor on the given device with undefined contents, for an op to fill. @throws E_SHAPE, E_OOM */
export function empty<D extends DType>(shape: Shape, dtype: D, device: DeviceName = defaultDevice()): Tensor<D> {
  checkShape('empty', shape);
  const backend: Backend = backendOf(device);
  return new Tensor(new Storage(backend, sizeOf(shape) * itemBytes(dtype)), 0, shape, dtype);
}

/** Memory for a gradient that backward may want at a place of its own: a slot of an optimizer's arena. */
export interface GradientPlace {
  readonly tensor: Tensor<'f32'>;
  /** Whether it has a gradient already, to which the new one is to be added. */
  readonly holds: boolean;
}

export type Place = GradientPlace | null | undefined;

/**
 * The place, about to be overwritten off the tape; a new f32 tensor with undefined contents where there is none, or one
 * that holds a gradient.
 */
export function emptyAt(place: Place, shape: Shape, device: DeviceName): Tensor<'f32'> {
  if (!place || place.holds) return empty(shape, 'f32', device);
  return changing(place.tensor);
}

/** Told of a tensor that is about to be overwritten or added to off the tape. */
export function changing(tensor: Tensor<'f32'>): Tensor<'f32'> {
  tensor.storage.version++;
  return tensor;
}

/** Where an op that can add to its result writes a gradient, and whether it is to add. */
export interface Target {
  readonly out: Tensor<'f32'>;
  /** The op's parameter of this name. */
  readonly accumulate: boolean;
}

/** As `emptyAt`, for an op that can add to what its result holds. */
export function targetAt(place: Place, shape: Shape, device: DeviceName): Target {
  if (!place) return { out: empty(shape, 'f32', device), accumulate: false };
  return { out: changing(place.tensor), accumulate: place.holds };
}

/** Thrown at once, not by a promise that nobody may look at. */
function refuseRead(method: string): void {
  recording.by?.refuse('reads no values', `one that calls ${method}(): return the tensor and read it outside`);
}

export type NestedArray = number | readonly NestedArray[];

function inferShape(values: NestedArray): number[] {
  const shape: number[] = [];
  for (let level = values; typeof level !== 'number'; level = level[0] ?? 0) shape.push(level.length);
  return shape;
}

function flatten(values: NestedArray, shape: Shape, depth: number, into: number[]): void {
  if (typeof values === 'number' || values.length !== shape[depth]) {
    if (typeof values === 'number' && depth === shape.length) {
      into.push(values);
      return;
    }
    throw new AnnealError(
      'E_SHAPE',
      `tensor: expected nested arrays of shape ${formatShape(shape)}, received ragged ones`,
    );
  }
  for (const item of values) flatten(item, shape, depth + 1, into);
}

export interface TensorOptions<D extends DType = DType> {
  readonly dtype?: D;
  readonly device?: DeviceName;
  readonly requiresGrad?: boolean;
}

function isHostArray(values: unknown): values is HostArray {
  return values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array;
}

/**
 * A tensor from host values: a number, nested arrays, or a typed array with a shape. dtype defaults to that of the
 * typed array, f32 otherwise. @throws E_SHAPE when the values do not fill the shape
 */
export function tensor<D extends DType>(
  values: NestedArray | HostArray,
  shape: Shape | undefined,
  options: TensorOptions<D> & { readonly dtype: D },
): Tensor<D>;
export function tensor(
  values: NestedArray | Float32Array,
  shape?: Shape,
  options?: TensorOptions<'f32'>,
): Tensor<'f32'>;
export function tensor(values: Int32Array, shape?: Shape, options?: TensorOptions<'i32'>): Tensor<'i32'>;
export function tensor(values: Uint8Array, shape?: Shape, options?: TensorOptions<'u8'>): Tensor<'u8'>;
export function tensor(values: NestedArray | HostArray, shape?: Shape, options?: TensorOptions): Tensor;
export function tensor(values: NestedArray | HostArray, shape?: Shape, options: TensorOptions = {}): Tensor {
  let flat: ArrayLike<number>;
  let inferred: Shape;
  if (isHostArray(values)) {
    flat = values;
    inferred = [values.length];
  } else {
    inferred = inferShape(values);
    const list: number[] = [];
    flatten(values, inferred, 0, list);
    flat = list;
  }
  const dims = shape ?? inferred;
  checkShape('tensor', dims);
  if (sizeOf(dims) !== flat.length) {
    throw new AnnealError(
      'E_SHAPE',
      `tensor: expected ${sizeOf(dims)} values for shape ${formatShape(dims)}, received ${flat.length}`,
    );
  }
  const dtype = options.dtype ?? (isHostArray(values) ? dtypeOf(values) : 'f32');
  if (options.requiresGrad && dtype !== 'f32') {
    throw new AnnealError('E_DTYPE', `tensor: expected f32 for requiresGrad, received ${dtype}`);
  }
  const result = empty([...dims], dtype, options.device);
  try {
    result.write(flat);
  } catch (error) {
    result.dispose();
    throw error;
  }
  result.storage.version = 0;
  tracking.by?.name(result.id, 'tensor');
  return options.requiresGrad ? result.requireGrad() : result;
}
