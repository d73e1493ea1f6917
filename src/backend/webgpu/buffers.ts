// Buffers of a device by handle, and those that were given back, by size class.
import { AnnealError } from '../../errors.js';
import type { Handle, MemoryInfo } from '../backend.js';

export interface Held {
  readonly buffer: GPUBuffer;
  /** As asked for. */
  readonly bytes: number;
  /** Of the buffer: a size class. */
  readonly capacity: number;
  /** Tells buffers apart, for bind groups and for the contract's checks: below 2^26. */
  readonly id: number;
}

/** A multiple of the largest element, vec4<f32>; the smallest binding a shader with such elements takes. */
const GRAIN = 256;

/** Four classes from one power of two to the next: at most a quarter is lost. */
export function sizeClass(bytes: number): number {
  if (bytes <= GRAIN) return GRAIN;
  const step = Math.max(GRAIN, 2 ** (Math.floor(Math.log2(bytes - 1)) - 2));
  return Math.ceil(bytes / step) * step;
}

const SLOT_BITS = 26;
const SLOTS = 2 ** SLOT_BITS;

export class Buffers {
  readonly #device: GPUDevice;
  readonly #slots: (Held | undefined)[] = [undefined];
  readonly #generations: number[] = [0];
  readonly #freeSlots: number[] = [];
  readonly #pool = new Map<number, Held[]>();
  /** Told of a failed allocation. */
  readonly #failed: (error: AnnealError) => void;
  readonly #dropped: (held: Held) => void;
  #nextId = 1;
  #live = 0;
  #pooled = 0;
  #peak = 0;
  #count = 0;

  constructor(device: GPUDevice, failed: (error: AnnealError) => void, dropped: (held: Held) => void) {
    this.#device = device;
    this.#failed = failed;
    this.#dropped = dropped;
  }

  #create(bytes: number, capacity: number): Held {
    const device = this.#device;
    const most = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
    if (capacity > most) {
      throw new AnnealError(
        'E_OOM',
        `webgpu: expected at most ${most} bytes in a buffer, the adapter's limit, received ${bytes}`,
      );
    }
    device.pushErrorScope('out-of-memory');
    const buffer = device.createBuffer({
      label: `${bytes} bytes`,
      size: capacity,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    device.popErrorScope().then(
      (error) => {
        if (error)
          this.#failed(new AnnealError('E_OOM', `webgpu: expected ${bytes} bytes, found no memory: ${error.message}`));
      },
      () => undefined,
    );
    const id = this.#nextId++;
    return { buffer, bytes, capacity, id };
  }

  take(bytes: number): Held {
    const capacity = sizeClass(bytes);
    const found = this.#pool.get(capacity)?.pop();
    if (found !== undefined) {
      this.#pooled -= capacity;
      return { ...found, bytes };
    }
    const held = this.#create(bytes, capacity);
    return held;
  }

  give(held: Held): void {
    const list = this.#pool.get(held.capacity);
    if (list === undefined) this.#pool.set(held.capacity, [held]);
    else list.push(held);
    this.#pooled += held.capacity;
  }

  alloc(bytes: number): Handle {
    if (!(Number.isSafeInteger(bytes) && bytes >= 0))
      throw new AnnealError('E_RANGE', `webgpu: expected a number of bytes, received ${bytes}`);
    const held = this.take(bytes);
    const slot = this.#freeSlots.pop() ?? this.#slots.push(undefined) - 1;
    if (slot >= SLOTS) throw new AnnealError('E_OOM', `webgpu: expected fewer than ${SLOTS} buffers`);
    this.#slots[slot] = held;
    const generation = (this.#generations[slot] ?? 0) + 1;
    this.#generations[slot] = generation;
    this.#live += bytes;
    this.#count++;
    this.#peak = Math.max(this.#peak, this.#live + this.#pooled);
    return generation * SLOTS + slot;
  }

  /** @throws E_DISPOSED */
  of(handle: Handle): Held {
    const slot = handle % SLOTS;
    const held = this.#slots[slot];
    if (held === undefined || this.#generations[slot] !== Math.floor(handle / SLOTS))
      throw new AnnealError('E_DISPOSED', 'webgpu: expected a live buffer, received one that was freed');
    return held;
  }

  free(handle: Handle): void {
    const held = this.of(handle);
    const slot = handle % SLOTS;
    this.#slots[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#live -= held.bytes;
    this.#count--;
    this.give(held);
  }

  memory(): MemoryInfo {
    return { liveBytes: this.#live, pooledBytes: this.#pooled, peakBytes: this.#peak, liveBuffers: this.#count };
  }

  /** Destroys what is pooled. Nothing that was enqueued may still use it. */
  trim(): number {
    const bytes = this.#pooled;
    for (const list of this.#pool.values()) {
      for (const held of list) {
        held.buffer.destroy();
        this.#dropped(held);
      }
    }
    this.#pool.clear();
    this.#pooled = 0;
    return bytes;
  }
}
