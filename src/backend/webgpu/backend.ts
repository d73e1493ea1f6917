// The WebGPU device. The contract's checks are the addon's, as on the CPU; what they let through is turned into dispatches.
import { addon } from '../../binding.js';
import { AnnealError } from '../../errors.js';
import { type Backend, type OpName, opNames, type PlanOp } from '../backend.js';
import { createCallBlock } from '../call_block.js';
import type { OpenedAdapter } from './adapter.js';
import { Buffers, type Held } from './buffers.js';
import type { ElementType, KernelCall, Launch, WebGpuKernel } from './kernel.js';
import { type Bound, Pipelines, UNIFORM_BYTES } from './pipelines.js';
import { CommandQueue, type Dispatch } from './queue.js';
import type { BindingShape } from './shader.js';

/** An operand of a call: where it lies. */
interface Place {
  readonly held: Held;
  readonly offset: number;
  readonly bytes: number;
}

interface Placed extends Place {
  readonly name: string;
  readonly type: ElementType;
  readonly written: boolean;
}

/** A call, ready to be enqueued any number of times. */
interface Prepared {
  readonly dispatches: readonly Dispatch[];
  readonly scratch: readonly Held[];
}

interface PlannedCall extends Prepared {
  readonly params: Uint8Array;
  readonly places: readonly (Place | null)[];
}

interface HeldPlan {
  readonly slots: number;
  readonly ops: readonly PlanOp[];
  readonly calls: (PlannedCall | undefined)[];
}

/** Where bindings may start, on every adapter. */
const ALIGNMENT = 256;
const VECTOR_BYTES = 16;
const FAR_BYTES = 2 ** 27;

const itemBytes = (type: ElementType): number => (type === 'u8' ? 1 : 4);
const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

const samePlace = (a: Place | null | undefined, b: Place | null): boolean =>
  a === b || (a != null && b != null && a.held.id === b.held.id && a.offset === b.offset && a.bytes === b.bytes);

export interface WebGpuBackend extends Backend {
  readonly lost: AnnealError | null;
  /** The variant that an op takes for shapes of a class, from now on; `*` for all, whatever is chosen for one. */
  choose(op: OpName, shapeClass: string, variant: string): void;
  /** Gives the adapter's memory back at once; what is pending rejects. */
  destroy(): void;
}

export function createWebGpuBackend(
  { device, description, software, traits }: OpenedAdapter,
  kernels: Readonly<Partial<Record<OpName, WebGpuKernel>>>,
  textOf: (path: string) => string,
): WebGpuBackend {
  const native = addon();
  const call = createCallBlock();
  const pipelines = new Pipelines(device, textOf);
  const buffers: Buffers = new Buffers(
    device,
    (error) => queue.fail(error),
    () => pipelines.dropGroups(),
  );
  const queue = new CommandQueue(device, pipelines, 0);
  const plans = new Map<number, HeldPlan>();
  let nextPlan = 1;
  const chosen = new Map<string, string>();

  const kernelOf = (op: OpName): WebGpuKernel => {
    const kernel = kernels[op];
    if (kernel === undefined) throw new AnnealError('E_DEVICE', `${op}: expected an op that runs on webgpu`);
    return kernel;
  };

  function variantOf(
    op: OpName,
    { software: onCpu, gpu }: { software: string; gpu: string },
    shapeClass: string,
  ): string {
    return chosen.get(`${op} *`) ?? chosen.get(`${op} ${shapeClass}`) ?? (traits.software ? onCpu : gpu);
  }

  function placeOf(op: OpName, handle: number, offset: number, bytes: number): Place {
    const held = buffers.of(handle);
    if (!(offset >= 0 && bytes >= 0 && offset + bytes <= held.bytes))
      throw new AnnealError(
        'E_RANGE',
        `${op}: expected an operand within its buffer of ${held.bytes} bytes, received ${bytes} bytes from ${offset}`,
      );
    return { held, offset, bytes };
  }

  /** The contract's check. The block's operands are afterwards what they were. @throws what it refuses */
  function check(op: OpName, params: Uint8Array, places: readonly (Place | null)[], nIn: number): void {
    call.bytes.set(params);
    const before = call.operands.slice(0, 3 * places.length);
    places.forEach((place, i) => {
      call.operands[3 * i] = place?.held.id ?? 0;
      call.operands[3 * i + 1] = place?.offset ?? 0;
      call.operands[3 * i + 2] = place?.bytes ?? 0;
    });
    call.head[0] = opNames.indexOf(op);
    call.head[1] = nIn;
    call.head[2] = places.length - nIn;
    try {
      native.checkCall();
    } finally {
      call.operands.set(before);
    }
  }

  function prepare(op: OpName, params: Uint8Array, places: readonly (Place | null)[], nIn: number): Prepared {
    const kernel = kernelOf(op);
    const decoded = kernel.struct.decode(params);
    const types = kernel.types?.(decoded) ?? {};
    const names = [...kernel.inputs, ...kernel.outputs];
    const { variants } = kernel;
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
      if (place.offset % itemBytes(type) !== 0)
        throw new AnnealError('E_ARGUMENT', `${op}: expected ${name} at a multiple of ${itemBytes(type)} bytes`);
      placed.push({ ...place, name, type, written: !isInput });
      aligned &&= type !== 'u8' && place.offset % VECTOR_BYTES === 0;
    });
    const described: KernelCall<typeof decoded> = {
      params: decoded,
      adapter: traits,
      variant: variants ? variantOf(op, variants, variants.classOf(decoded)) : '',
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
      const held = buffers.take(4 * size);
      placed.push({ held, offset: 0, bytes: held.capacity, name, type: 'f32', written: true });
      scratch.push(held);
    }
    return { dispatches: launches.map((launch) => dispatchOf(kernel, launch, params, placed, absent)), scratch };
  }

  function dispatchOf(
    kernel: WebGpuKernel,
    { entry, groups, constants = {}, vectors = false }: Launch,
    params: Uint8Array,
    placed: readonly Placed[],
    absent: readonly { name: string; type: ElementType }[],
  ): Dispatch {
    const byBuffer = new Map<number, Placed[]>();
    for (const each of placed) {
      const list = byBuffer.get(each.held.id);
      if (list === undefined) byBuffer.set(each.held.id, [each]);
      else list.push(each);
    }
    const uniform = new Uint32Array(UNIFORM_BYTES / 4);
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
      for (const { name, type, written, offset } of operands) {
        uniform[at++] = (offset - from) / itemBytes(type);
        structure += `${name}:${type}${written ? '!' : ''} `;
      }
      structure += '/';
    }
    const most = device.limits.maxStorageBuffersPerShaderStage;
    if (bindings.length > most)
      throw new AnnealError(
        'E_DEVICE',
        `${kernel.op}: expected operands in at most ${most} buffers, the adapter's limit, received ${bindings.length}`,
      );
    const key = `${kernel.op}.${entry}|${JSON.stringify(constants)}${vectors}|${structure}|${absent.map(({ name, type }) => `${name}:${type}`).join(' ')}`;
    const pipeline = pipelines.get(kernel.op, kernel.texts, entry, key, () => ({
      struct: kernel.struct,
      bindings,
      absent,
      vectors,
      constants,
    }));
    return { pipeline, bound, uniform, groups };
  }

  /** The parameters of `fill` for f32 zeros: dtype, count, value, intValue. */
  const encodeFill = (bytes: number): Uint8Array => new Uint8Array(Uint32Array.of(0, bytes / 4, 0, 0).buffer);

  /** As a record of its own. */
  function enqueue(op: number, { dispatches }: Prepared): void {
    queue.submitted++;
    queue.dispatch(dispatches, op, 0);
  }

  function refuseMisplaced(what: string, byteOffset: number, bytes: number, held: Held): void {
    if (!(byteOffset >= 0 && bytes >= 0 && byteOffset + bytes <= held.bytes))
      throw new AnnealError(
        'E_RANGE',
        `${what}: expected a range within ${held.bytes} bytes, received ${bytes} from ${byteOffset}`,
      );
  }

  const readSync = (): never => {
    throw new AnnealError(
      'E_DEVICE',
      "webgpu: expected to wait for values with await, as in 'await tensor.data()': this device cannot block",
    );
  };

  const plan = (id: number): HeldPlan => {
    const held = plans.get(id);
    if (held === undefined)
      throw new AnnealError('E_DISPOSED', 'plan: expected a live plan, received one that was freed');
    return held;
  };

  const giveBack = (prepared: Prepared): void => {
    for (const held of prepared.scratch) buffers.give(held);
  };

  return {
    name: 'webgpu',
    detail: description,
    software,
    block: { params: call.params, operands: call.operands },
    get lost() {
      return queue.lost;
    },
    choose(op, shapeClass, variant) {
      chosen.set(`${op} ${shapeClass}`, variant);
    },
    destroy: () => device.destroy(),
    alloc(bytes) {
      if (queue.lost !== null) throw queue.lost;
      return buffers.alloc(bytes);
    },
    free: (handle) => buffers.free(handle),
    write(handle, byteOffset, data) {
      const held = buffers.of(handle);
      const { byteLength } = data;
      refuseMisplaced('write', byteOffset, byteLength, held);
      if (byteLength === 0) return;
      if (byteOffset % 4 !== 0 || (byteLength % 4 !== 0 && byteOffset + byteLength !== held.bytes))
        throw new AnnealError('E_ARGUMENT', 'webgpu: expected a write of whole words, or up to the end of the buffer');
      const copy = new Uint8Array(padded(byteLength));
      copy.set(new Uint8Array(data.buffer, data.byteOffset, byteLength));
      queue.write(held, byteOffset, copy);
    },
    async read(handle, byteOffset, byteLength) {
      const held = buffers.of(handle);
      refuseMisplaced('read', byteOffset, byteLength, held);
      const from = Math.floor(byteOffset / 4) * 4;
      const words = await queue.read(held, from, padded(byteOffset + byteLength) - from);
      return words.slice(byteOffset - from, byteOffset - from + byteLength);
    },
    readSync,
    run(id, nIn, nOut) {
      const op = opNames[id];
      if (op === undefined) throw new AnnealError('E_ARGUMENT', `run: expected the id of an op, received ${id}`);
      const places = Array.from({ length: nIn + nOut }, (_, i) => {
        const [handle = 0, offset = 0, bytes = 0] = call.operands.subarray(3 * i, 3 * i + 3);
        return handle === 0 ? null : placeOf(op, handle, offset, bytes);
      });
      const params = call.bytes.slice(0, kernelOf(op).struct.bytes);
      check(op, params, places, nIn);
      const prepared = prepare(op, params, places, nIn);
      enqueue(id, prepared);
      giveBack(prepared);
    },
    planCreate(slots, ops) {
      for (const { op } of ops) kernelOf(op);
      const id = nextPlan++;
      plans.set(id, { slots, ops, calls: [] });
      return id;
    },
    planRun(id, bindings, params) {
      const { ops, calls } = plan(id);
      let at = 0;
      ops.forEach(({ op, inputs, outputs }, i) => {
        const size = kernelOf(op).struct.bytes;
        const bytes = params.subarray(at, at + size);
        at += Math.ceil(size / 8) * 8;
        const places = [...inputs, ...outputs].map((operand) => {
          if (operand === null) return null;
          const [handle = 0, offset = 0, length = 0] = bindings.subarray(3 * operand.slot, 3 * operand.slot + 3);
          if (operand.byteOffset + operand.bytes > length)
            throw new AnnealError('E_RANGE', `${op}: expected ${operand.bytes} bytes in slot ${operand.slot}`);
          return placeOf(op, handle, offset + operand.byteOffset, operand.bytes);
        });
        const known = calls[i];
        if (
          known &&
          sameBytes(known.params, bytes) &&
          known.places.every((each, k) => samePlace(each, places[k] ?? null))
        )
          return;
        const copy = bytes.slice();
        check(op, copy, places, inputs.length);
        if (known) giveBack(known);
        calls[i] = undefined;
        calls[i] = { ...prepare(op, copy, places, inputs.length), params: copy, places };
      });
      queue.submitted++;
      ops.forEach(({ op }, i) => {
        queue.dispatch(calls[i]?.dispatches ?? [], opNames.indexOf(op), i);
      });
    },
    planFree(id) {
      for (const prepared of plan(id).calls) if (prepared) giveBack(prepared);
      plans.delete(id);
    },
    planOps: (id) => plan(id).ops,
    async time(op, params, operands, nIn, nOut, { samples, inner, cold }) {
      const places = Array.from({ length: nIn + nOut }, (_, i) => {
        const [handle = 0, offset = 0, bytes = 0] = operands.subarray(3 * i, 3 * i + 3);
        return handle === 0 ? null : placeOf(op, handle, offset, bytes);
      });
      check(op, params, places, nIn);
      const prepared = prepare(op, params.slice(), places, nIn);
      // Larger than caches: writing it takes their place.
      const far = cold ? buffers.take(Math.min(FAR_BYTES, device.limits.maxStorageBufferBindingSize)) : null;
      const evict = far && prepare('fill', encodeFill(far.bytes), [{ held: far, offset: 0, bytes: far.bytes }], 0);
      try {
        const seconds = new Float64Array(samples);
        for (let i = -1; i < samples; i++) {
          if (evict) enqueue(opNames.indexOf('fill'), evict);
          await queue.fence();
          const start = performance.now();
          for (let k = 0; k < inner; k++) enqueue(opNames.indexOf(op), prepared);
          await queue.fence();
          if (i >= 0) seconds[i] = (performance.now() - start) / 1e3 / inner;
        }
        return seconds;
      } finally {
        giveBack(prepared);
        if (far) buffers.give(far);
      }
    },
    submitted: () => queue.submitted,
    profiler: {
      start: (events) => void queue.profile(events),
      now: () => queue.now(),
      stop: () => queue.endProfile(),
    },
    sync: () => queue.fence(),
    crowded: () => queue.crowded(),
    memory: () => buffers.memory(),
    trim() {
      queue.flush();
      queue.trim();
      return buffers.trim();
    },
  };
}
