// From a call to dispatches: where its operands lie, the contract's check, the kernel's launches, and what each binds.
import { addon } from '../../binding.js';
import { AnnealError } from '../../errors.js';
import { type Handle, halfMask, type OpName, opNames } from '../backend.js';
import { createCallBlock, type NativeCallBlock } from '../call_block.js';
import type { Buffers, Held } from './buffers.js';
import {
  type AdapterTraits,
  type ElementType,
  type KernelCall,
  type Launch,
  runsOn,
  type Variants,
  type WebGpuKernel,
} from './kernel.js';
import type { Bound, Pipelines } from './pipelines.js';
import type { Dispatch } from './queue.js';
import type { BindingShape } from './shader.js';

/** Where an operand lies. */
export interface Place {
  readonly held: Held;
  readonly offset: number;
  readonly bytes: number;
  /** Stored as f16. */
  readonly half: boolean;
}

interface Placed extends Place {
  readonly name: string;
  readonly type: ElementType;
  readonly written: boolean;
}

/** A call, ready to be enqueued any number of times. */
export interface Prepared {
  readonly dispatches: readonly Dispatch[];
  readonly scratch: readonly Held[];
}

export type Kernels = Readonly<Partial<Record<OpName, WebGpuKernel>>>;

interface CallsParts {
  readonly device: GPUDevice;
  readonly traits: AdapterTraits;
  readonly kernels: Kernels;
  readonly buffers: Buffers;
  readonly pipelines: Pipelines;
}

/** Where bindings may start, on every adapter. */
const ALIGNMENT = 256;
const VECTOR_BYTES = 16;

const itemBytes = ({ type, half }: { readonly type: ElementType; readonly half: boolean }): number => {
  if (half) return 2;
  return type === 'u8' ? 1 : 4;
};

export class Calls {
  /** The addon's, from which it takes what it checks. */
  readonly block: NativeCallBlock = createCallBlock();
  readonly #check = addon().checkCall;
  readonly #device: GPUDevice;
  readonly #traits: AdapterTraits;
  readonly #kernels: Kernels;
  readonly #buffers: Buffers;
  readonly #pipelines: Pipelines;
  readonly #chosen = new Map<string, string>();

  constructor({ device, traits, kernels, buffers, pipelines }: CallsParts) {
    this.#device = device;
    this.#traits = traits;
    this.#kernels = kernels;
    this.#buffers = buffers;
    this.#pipelines = pipelines;
  }

  /** See `WebGpuBackend.choose`. */
  choose(op: OpName, shapeClass: string, variant: string): void {
    this.#chosen.set(`${op} ${shapeClass}`, variant);
  }

  /** @throws E_DEVICE for an op without one */
  kernelOf(op: OpName): WebGpuKernel {
    const kernel = this.#kernels[op];
    if (kernel === undefined) throw new AnnealError('E_DEVICE', `${op}: expected an op that runs on webgpu`);
    return kernel;
  }

  /** Empty where the kernel has none. */
  #variantOf({ op, variants }: WebGpuKernel, params: Parameters<Variants['classOf']>[0]): string {
    if (variants === undefined) return '';
    const name = variants.classOf(params);
    const unmeasured = variants.classes[name]?.[this.#traits.software ? 'software' : 'gpu'];
    const wanted = this.#chosen.get(`${op} *`) ?? this.#chosen.get(`${op} ${name}`) ?? unmeasured ?? '';
    return runsOn(this.#traits, wanted, variants) ? wanted : (variants.subgroups?.[wanted]?.otherwise ?? '');
  }

  /** `op`: in whose name. @throws E_DISPOSED, E_RANGE */
  placeOf(op: string, handle: Handle, offset: number, bytes: number, half = false): Place {
    const held = this.#buffers.of(handle);
    if (!(offset >= 0 && bytes >= 0 && offset + bytes <= held.bytes))
      throw new AnnealError(
        'E_RANGE',
        `${op}: expected an operand within its buffer of ${held.bytes} bytes, received ${bytes} bytes from ${offset}`,
      );
    return { held, offset, bytes, half };
  }

  /** The contract's check. The block's operands are afterwards what they were. @throws what it refuses */
  check(op: OpName, params: Uint8Array, places: readonly (Place | null)[], nIn: number): void {
    this.block.bytes.set(params);
    const before = this.block.operands.slice(0, 3 * places.length);
    places.forEach((place, i) => {
      this.block.operands[3 * i] = place?.held.id ?? 0;
      this.block.operands[3 * i + 1] = place?.offset ?? 0;
      this.block.operands[3 * i + 2] = place?.bytes ?? 0;
    });
    this.block.head[0] = opNames.indexOf(op);
    this.block.head[1] = nIn;
    this.block.head[2] = places.length - nIn;
    this.block.head[3] = halfMask(places);
    try {
      this.#check();
    } finally {
      this.block.operands.set(before);
    }
  }

  prepare(op: OpName, params: Uint8Array, places: readonly (Place | null)[], nIn: number): Prepared {
    const kernel = this.kernelOf(op);
    const decoded = kernel.struct.decode(params);
    const types = kernel.types?.(decoded) ?? {};
    const names = [...kernel.inputs, ...kernel.outputs];
    const placed: Placed[] = [];
    const absent: { name: string; type: ElementType }[] = [];
    let aligned = true;
    names.forEach((name, i) => {
      const isInput = i < kernel.inputs.length;
      const at = isInput ? i : nIn + i - kernel.inputs.length;
      const place = isInput && i >= nIn ? null : (places[at] ?? null);
      const type = types[name] ?? 'f32';
      if (place === null) {
        absent.push({ name, type });
        return;
      }
      const size = itemBytes({ type, half: place.half });
      if (place.offset % size !== 0)
        throw new AnnealError('E_ARGUMENT', `${op}: expected ${name} at a multiple of ${size} bytes`);
      if (place.half) this.#refuseHalf(kernel, name);
      placed.push({ ...place, name, type, written: !isInput });
      aligned &&= type !== 'u8' && place.offset % (4 * size) === 0;
    });
    const described: KernelCall<typeof decoded> = {
      params: decoded,
      adapter: this.#traits,
      variant: this.#variantOf(kernel, decoded),
      aligned,
      has: (name) => placed.some((each) => each.name === name),
    };
    const launches = kernel.launches(described).filter(({ groups }) => groups.every((count) => count > 0));
    const scratch: Held[] = [];
    const sizes = launches.length > 0 ? (kernel.scratch?.(described) ?? {}) : {};
    for (const [name, size] of Object.entries(sizes)) {
      if (size === 0) {
        absent.push({ name, type: 'f32' });
        continue;
      }
      const held = this.#buffers.take(4 * size);
      placed.push({ held, offset: 0, bytes: held.capacity, name, type: 'f32', written: true, half: false });
      scratch.push(held);
    }
    try {
      return {
        dispatches: launches.map((launch) => this.#dispatchOf(kernel, launch, params, placed, absent)),
        scratch,
      };
    } catch (error) {
      this.release({ dispatches: [], scratch });
      throw error;
    }
  }

  #dispatchOf(
    kernel: WebGpuKernel,
    { entry, groups, constants = {}, code = '', vectors = false, uses }: Launch,
    params: Uint8Array,
    allPlaced: readonly Placed[],
    allAbsent: readonly { name: string; type: ElementType }[],
  ): Dispatch {
    const placed = uses ? allPlaced.filter(({ name }) => uses.includes(name)) : allPlaced;
    const absent = uses ? [...allAbsent, ...allPlaced.filter(({ name }) => !uses.includes(name))] : allAbsent;
    const byBuffer = new Map<number, Placed[]>();
    for (const each of placed) {
      const list = byBuffer.get(each.held.id);
      if (list === undefined) byBuffer.set(each.held.id, [each]);
      else list.push(each);
    }
    const uniform = new Uint32Array(params.length / 4 + placed.length);
    new Uint8Array(uniform.buffer).set(params);
    const bound: Bound[] = [];
    const bindings: BindingShape[] = [];
    let at = params.length / 4;
    let structure = '';
    for (const operands of byBuffer.values()) {
      const [first] = operands;
      if (first === undefined) continue;
      const { held } = first;
      const lowest = Math.min(...operands.map(({ offset }) => offset), held.capacity - VECTOR_BYTES);
      const from = Math.floor(lowest / ALIGNMENT) * ALIGNMENT;
      const end = Math.max(...operands.map(({ offset, bytes }) => offset + bytes), from + VECTOR_BYTES);
      bound.push({ held, offset: from, size: Math.ceil(end / VECTOR_BYTES) * VECTOR_BYTES - from });
      bindings.push({ operands });
      for (const operand of operands) {
        const { name, type, written, half } = operand;
        uniform[at++] = (operand.offset - from) / itemBytes(operand);
        structure += `${name}:${type}${half ? '/2' : ''}${written ? '!' : ''} `;
      }
      structure += '/';
    }
    const most = this.#device.limits.maxStorageBuffersPerShaderStage;
    if (bindings.length > most)
      throw new AnnealError(
        'E_DEVICE',
        `${kernel.op}: expected operands in at most ${most} buffers, the adapter's limit, received ${bindings.length}`,
      );
    const key = `${kernel.op}.${entry}|${code}${JSON.stringify(constants)}${vectors}|${structure}|${absent.map(({ name, type }) => `${name}:${type}`).join(' ')}`;
    const { subgroups } = this.#traits;
    const texts = kernel.texts.flatMap((text) =>
      typeof text === 'string' ? text : (text[subgroups ? 'subgroups' : 'plain'] ?? []),
    );
    const pipeline = this.#pipelines.get(kernel.op, texts, entry, key, () => ({
      struct: kernel.struct,
      bindings,
      absent,
      vectors,
      constants,
      code,
      subgroups: subgroups && kernel.texts.some((text) => typeof text !== 'string'),
    }));
    return { pipeline, bound, uniform, groups, binding: null };
  }

  #refuseHalf({ op, sums }: WebGpuKernel, name: string): void {
    if (!this.#device.features.has('shader-f16'))
      throw new AnnealError(
        'E_DEVICE',
        `${op}: expected tensors stored as f32 on an adapter without the WebGPU feature shader-f16, received f16`,
      );
    if (sums?.includes(name))
      throw new AnnealError('E_DEVICE', `${op}: expected ${name}, where sums are made, stored as f32, received f16`);
  }

  /** Gives back what a call's launches share between them. */
  release({ scratch }: Prepared): void {
    for (const held of scratch) this.#buffers.give(held);
  }
}
