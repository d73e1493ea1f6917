// When each op ran, by the adapter's own clock: a pass for each, with a timestamp at its begin and its end.
import { AnnealError } from '../../errors.js';
import type { DeviceEvents, EventColumns } from '../backend.js';

/** Which op a dispatch is part of: the record it was enqueued with, its place in that, and its id. */
export interface Mark {
  readonly sequence: number;
  readonly index: number;
  readonly op: number;
}

const NONE: EventColumns = {
  start: new Float64Array(),
  end: new Float64Array(),
  sequence: new Float64Array(),
  index: new Uint32Array(),
  what: new Uint32Array(),
  dropped: 0,
};

export class Timestamps {
  readonly #device: GPUDevice;
  readonly #most: number;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #origin = performance.now();
  #marks: Mark[] = [];
  readonly #done: { mark: Mark; start: number; end: number }[] = [];
  #dropped = 0;
  /** Where the adapter's clock stood at 0, in nanoseconds of ours: no op began before it was submitted. */
  #shift = Number.NEGATIVE_INFINITY;

  /** Ops of one submit: `passes` at most. @throws E_DEVICE where the adapter has no timestamps */
  constructor(
    device: GPUDevice,
    passes: number,
    readonly events: number,
  ) {
    if (!device.features.has('timestamp-query'))
      throw new AnnealError('E_DEVICE', 'profile: expected an adapter with timestamps, received one without');
    this.#device = device;
    this.#most = passes;
    this.#queries = device.createQuerySet({ label: 'profile', type: 'timestamp', count: 2 * passes });
    this.#resolved = device.createBuffer({
      label: 'profile',
      size: 16 * passes,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
  }

  /** Nanoseconds since the start. */
  now(): number {
    return (performance.now() - this.#origin) * 1e6;
  }

  begin(encoder: GPUCommandEncoder, mark: Mark): GPUComputePassEncoder {
    const at = this.#marks.length;
    if (at >= this.#most)
      throw new AnnealError('E_INTERNAL', `profile: expected at most ${this.#most} ops in a submit`);
    this.#marks.push(mark);
    const [beginningOfPassWriteIndex, endOfPassWriteIndex] = [2 * at, 2 * at + 1];
    const timestampWrites = { querySet: this.#queries, beginningOfPassWriteIndex, endOfPassWriteIndex };
    return encoder.beginComputePass({ label: 'profile', timestampWrites });
  }

  /** At the end of a submit's encoding. Gives what collects the times once it was submitted. */
  resolve(encoder: GPUCommandEncoder): () => Promise<void> {
    const marks = this.#marks;
    this.#marks = [];
    if (marks.length === 0) return async () => undefined;
    const bytes = 16 * marks.length;
    const staging = this.#device.createBuffer({
      label: 'profile',
      size: bytes,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.resolveQuerySet(this.#queries, 0, 2 * marks.length, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, staging, 0, bytes);
    const submitted = this.now();
    return async () => {
      await staging.mapAsync(GPUMapMode.READ);
      const times = new BigUint64Array(staging.getMappedRange().slice(0));
      staging.destroy();
      marks.forEach((mark, i) => {
        const start = Number(times[2 * i] ?? 0n);
        this.#shift = Math.max(this.#shift, submitted - start);
        if (this.#done.length < this.events) this.#done.push({ mark, start, end: Number(times[2 * i + 1] ?? 0n) });
        else this.#dropped++;
      });
    };
  }

  /** What has come back so far. */
  stop(): DeviceEvents {
    this.#queries.destroy();
    this.#resolved.destroy();
    const done = this.#done.sort((a, b) => a.mark.sequence - b.mark.sequence || a.mark.index - b.mark.index);
    if (done.length === 0) return { queue: { ...NONE, dropped: this.#dropped }, workers: [] };
    const shift = this.#shift;
    const queue = {
      start: Float64Array.from(done, ({ start }) => start + shift),
      end: Float64Array.from(done, ({ end }) => end + shift),
      sequence: Float64Array.from(done, ({ mark }) => mark.sequence),
      index: Uint32Array.from(done, ({ mark }) => mark.index),
      what: Uint32Array.from(done, ({ mark }) => mark.op),
      dropped: this.#dropped,
    };
    return { queue, workers: [] };
  }
}
