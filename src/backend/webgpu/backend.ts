// The WebGPU device. The contract's checks are the addon's, as on the CPU; what they let through is turned into dispatches.
import { AnnealError } from '../../errors.js';
import { type Backend, type OpName, opNames } from '../backend.js';
import type { OpenedAdapter } from './adapter.js';
import { Buffers, type Held } from './buffers.js';
import { Calls, type Kernels, type Place, type Prepared } from './calls.js';
import type { AdapterTraits } from './kernel.js';
import { Pipelines } from './pipelines.js';
import { Plans } from './plans.js';
import { CommandQueue } from './queue.js';

/** Larger than caches. */
const FAR_BYTES = 2 ** 27;

const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;

export interface WebGpuBackend extends Backend {
  readonly lost: AnnealError | null;
  readonly traits: AdapterTraits;
  /** The variant that an op takes for shapes of a class, from now on; `*` for all, whatever is chosen for one. */
  choose(op: OpName, shapeClass: string, variant: string): void;
  /** Gives the adapter's memory back at once; what is pending rejects. */
  destroy(): void;
}

export function createWebGpuBackend(
  { device, description, software, traits }: OpenedAdapter,
  kernels: Kernels,
  textOf: (path: string) => string,
): WebGpuBackend {
  const pipelines = new Pipelines(device, textOf);
  const buffers: Buffers = new Buffers(
    device,
    (error) => queue.fail(error),
    () => pipelines.dropGroups(),
  );
  const queue = new CommandQueue(device, pipelines, 0);
  const calls = new Calls({ device, traits, kernels, buffers, pipelines });
  const plans = new Plans(calls);
  const { block } = calls;

  /** The parameters of `fill` for f32 zeros: dtype, count, value, intValue. */
  const encodeFill = (bytes: number): Uint8Array => new Uint8Array(Uint32Array.of(0, bytes / 4, 0, 0).buffer);

  /** Of the triples of a call. */
  const placesOf = (op: OpName, operands: Float64Array, count: number, halves = 0): (Place | null)[] =>
    Array.from({ length: count }, (_, i) => {
      const [handle = 0, offset = 0, bytes = 0] = operands.subarray(3 * i, 3 * i + 3);
      return handle === 0 ? null : calls.placeOf(op, handle, offset, bytes, ((halves >> i) & 1) !== 0);
    });

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

  return {
    name: 'webgpu',
    detail: description,
    software,
    traits,
    block,
    get lost() {
      return queue.lost;
    },
    choose: (op, shapeClass, variant) => calls.choose(op, shapeClass, variant),
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
    run(id, nIn, nOut, half = 0) {
      const op = opNames[id];
      if (op === undefined) throw new AnnealError('E_ARGUMENT', `run: expected the id of an op, received ${id}`);
      const places = placesOf(op, block.operands, nIn + nOut, half);
      const params = block.bytes.slice(0, calls.kernelOf(op).struct.bytes);
      calls.check(op, params, places, nIn);
      const prepared = calls.prepare(op, params, places, nIn);
      enqueue(id, prepared);
      calls.release(prepared);
    },
    planCreate: (slots, ops) => plans.create(slots, ops),
    planRun(id, bindings, params) {
      const ops = plans.replay(id, bindings, params);
      queue.submitted++;
      ops.forEach(({ id: op, prepared }, i) => {
        if (prepared !== null) queue.dispatch(prepared.dispatches, op, i);
      });
    },
    planFree: (id) => plans.free(id),
    planOps: (id) => plans.opsOf(id),
    async time(op, params, operands, nIn, nOut, { samples, inner, cold }) {
      const places = placesOf(op, operands, nIn + nOut);
      calls.check(op, params, places, nIn);
      const prepared = calls.prepare(op, params.slice(), places, nIn);
      // Larger than caches: writing it takes their place.
      const far = cold ? buffers.take(Math.min(FAR_BYTES, device.limits.maxStorageBufferBindingSize)) : null;
      const evict =
        far &&
        calls.prepare('fill', encodeFill(far.bytes), [{ held: far, offset: 0, bytes: far.bytes, half: false }], 0);
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
        calls.release(prepared);
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
      // What waits for a pipeline may use memory that was given back since.
      if (queue.waiting) return 0;
      queue.trim();
      return buffers.trim();
    },
  };
}
