// The order of everything: dispatches, host writes and reads, encoded in the order of the calls as soon as the pipelines they need
// are compiled, many to a submit. Nothing here blocks.
import { AnnealError, reasonOf } from '../../errors.js';
import type { DeviceEvents, OpName } from '../backend.js';
import type { Held } from './buffers.js';
import { type Bound, type Pipeline, type Pipelines, UNIFORM_BYTES } from './pipelines.js';
import { type Mark, Timestamps } from './timestamps.js';

/** A dispatch, ready but for its pipeline. */
export interface Dispatch {
  readonly pipeline: Pipeline;
  readonly bound: readonly Bound[];
  /** Parameters and offsets. */
  readonly uniform: Uint32Array;
  readonly groups: readonly [number, number, number];
  /** What it binds, once it was encoded. */
  binding: { readonly group: GPUBindGroup; readonly epoch: number } | null;
}

type Command =
  | { readonly kind: 'dispatch'; readonly dispatch: Dispatch; readonly mark: Mark }
  | { readonly kind: 'write'; readonly to: Held; readonly offset: number; readonly data: Uint8Array }
  | {
      readonly kind: 'read';
      readonly from: Held;
      readonly offset: number;
      readonly bytes: number;
      settle: Settle<ArrayBuffer>;
    }
  | { readonly kind: 'fence'; settle: Settle<void> };

interface Settle<T> {
  resolve(value: T): void;
  reject(error: AnnealError): void;
}

/** Dispatches of one submit: as many parameter blocks as one uniform buffer holds. */
const MOST_DISPATCHES = 512;
/** Commands that wait for the end of the turn at most. */
const MOST_WAITING = 128;
/** Submits the device may be behind before whoever can wait should. */
const CROWDED = 6;

export class CommandQueue {
  readonly #device: GPUDevice;
  readonly #pipelines: Pipelines;
  #waiting: Command[] = [];
  #next = 0;
  /** Whether a flush is already to come. */
  #scheduled = false;
  /** Whether the first command waits for its pipeline. */
  #stalled = false;
  readonly #uniforms: Held;
  readonly #offsets = new Uint32Array(1);
  readonly #words = new Uint32Array((MOST_DISPATCHES * UNIFORM_BYTES) / 4);
  readonly #staging = new Map<number, GPUBuffer[]>();
  #inFlight = 0;
  #failure: AnnealError | null = null;
  #lost: AnnealError | null = null;
  /** Records so far: ops, plans, copies and fences. */
  submitted = 0;
  #timestamps: Timestamps | null = null;

  constructor(device: GPUDevice, pipelines: Pipelines, uniformId: number) {
    this.#device = device;
    this.#pipelines = pipelines;
    const bytes = this.#words.byteLength;
    this.#uniforms = {
      buffer: device.createBuffer({
        label: 'parameters',
        size: bytes,
        usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      }),
      bytes,
      capacity: bytes,
      id: uniformId,
    };
    device.lost.then(
      ({ reason, message }) => {
        this.#lose(`${reason}: ${message}`);
      },
      (error: unknown) => {
        this.#lose(reasonOf(error));
      },
    );
  }

  #lose(why: string): void {
    this.#lost = new AnnealError(
      'E_DEVICE',
      `webgpu: expected a device that answers, received its loss (${why}); device.request('webgpu') makes a new one`,
    );
    this.#failAll(this.#lost);
  }

  #failAll(error: AnnealError): void {
    const waiting = this.#waiting.slice(this.#next);
    this.#waiting = [];
    this.#next = 0;
    for (const command of waiting) if ('settle' in command) command.settle.reject(error);
  }

  /** The first failure is what the next read or sync rejects with. */
  fail(error: AnnealError): void {
    this.#failure ??= error;
  }

  get lost(): AnnealError | null {
    return this.#lost;
  }

  /** Whether something is not submitted yet, such as what waits for a pipeline. */
  get waiting(): boolean {
    return this.#next < this.#waiting.length;
  }

  crowded(): boolean {
    return this.#inFlight > CROWDED;
  }

  #push(command: Command): void {
    if (this.#lost !== null) throw this.#lost;
    this.#waiting.push(command);
    if (this.#waiting.length - this.#next >= MOST_WAITING) {
      this.flush();
    } else if (!this.#scheduled && !this.#stalled) {
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.flush();
      });
    }
  }

  /** The dispatches of an op at a place in the latest record. */
  dispatch(dispatches: readonly Dispatch[], op: number, index: number): void {
    const mark = { sequence: this.submitted, index, op };
    for (const dispatch of dispatches) this.#push({ kind: 'dispatch', dispatch, mark });
  }

  /** @throws E_DEVICE without timestamps, E_ARGUMENT while a profile is taken */
  profile(events: number): Timestamps {
    if (this.#timestamps !== null)
      throw new AnnealError(
        'E_ARGUMENT',
        'profile: expected no other profile to be taken, received one within another',
      );
    this.flush();
    this.#timestamps = new Timestamps(this.#device, MOST_DISPATCHES, events);
    return this.#timestamps;
  }

  endProfile(): DeviceEvents {
    const timestamps = this.#timestamps;
    if (timestamps === null) throw new AnnealError('E_ARGUMENT', 'profile: expected a start before');
    this.#timestamps = null;
    return timestamps.stop();
  }

  now(): number {
    if (this.#timestamps === null) throw new AnnealError('E_ARGUMENT', 'profile: expected a start before');
    return this.#timestamps.now();
  }

  /** `data` is kept until it was copied. */
  write(to: Held, offset: number, data: Uint8Array): void {
    this.submitted++;
    this.#push({ kind: 'write', to, offset, data });
  }

  read(from: Held, offset: number, bytes: number): Promise<ArrayBuffer> {
    return new Promise((resolve, reject) => {
      this.submitted++;
      this.#push({ kind: 'read', from, offset, bytes, settle: { resolve, reject } });
    });
  }

  fence(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.submitted++;
      this.#push({ kind: 'fence', settle: { resolve, reject } });
    });
  }

  /** Encodes and submits whatever does not have to wait for a pipeline. */
  flush(): void {
    while (this.#lost === null && !this.#stalled && this.#next < this.#waiting.length) {
      const command = this.#waiting[this.#next];
      if (command === undefined) break;
      if (command.kind === 'write') {
        this.#next++;
        this.#device.queue.writeBuffer(command.to.buffer, command.offset, command.data);
      } else if (this.#stallOn(command)) {
        break;
      } else {
        this.#submitRun();
      }
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
  }

  /** Whether the command needs a pipeline that is being compiled; flushing goes on when it is there. */
  #stallOn(command: Command): boolean {
    if (command.kind !== 'dispatch') return false;
    const { pipeline } = command.dispatch;
    if (pipeline.compiled !== null || pipeline.failure !== null) return false;
    this.#stalled = true;
    void pipeline.ready.then(() => {
      this.#stalled = false;
      this.flush();
    });
    return true;
  }

  /** One submit: dispatches up to the next host write, and the reads and fences among them. */
  #submitRun(): void {
    const device = this.#device;
    for (const filter of ['validation', 'out-of-memory', 'internal'] as const) device.pushErrorScope(filter);
    const encoder = device.createCommandEncoder({ label: 'anneal' });
    let pass: GPUComputePassEncoder | null = null;
    const reads: { staging: GPUBuffer; capacity: number; bytes: number; settle: Settle<ArrayBuffer> }[] = [];
    const fences: Settle<void>[] = [];
    const ops = new Set<OpName>();
    let count = 0;
    let bound: Pipeline | null = null;
    let marked: Mark | null = null;
    const timestamps = this.#timestamps;
    for (; this.#next < this.#waiting.length; this.#next++) {
      const command = this.#waiting[this.#next];
      if (command === undefined || command.kind === 'write' || this.#stallOn(command)) break;
      if (command.kind === 'dispatch') {
        if (count === MOST_DISPATCHES) break;
        const { pipeline, uniform, groups } = command.dispatch;
        if (pipeline.compiled === null) {
          if (pipeline.failure !== null) this.fail(pipeline.failure);
          continue;
        }
        if (timestamps !== null && marked !== command.mark) {
          pass?.end();
          pass = timestamps.begin(encoder, command.mark);
          bound = null;
        }
        marked = command.mark;
        pass ??= encoder.beginComputePass({ label: 'anneal' });
        this.#words.set(uniform, (count * UNIFORM_BYTES) / 4);
        if (bound !== pipeline) {
          pass.setPipeline(pipeline.compiled);
          ops.add(pipeline.op);
          bound = pipeline;
        }
        this.#offsets[0] = count * UNIFORM_BYTES;
        pass.setBindGroup(0, this.#groupOf(command.dispatch), this.#offsets, 0, 1);
        pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
        count++;
      } else if (command.kind === 'read') {
        pass?.end();
        pass = null;
        bound = null;
        marked = null;
        const { staging, capacity } = this.#takeStaging(command.bytes);
        encoder.copyBufferToBuffer(command.from.buffer, command.offset, staging, 0, command.bytes);
        reads.push({ staging, capacity, bytes: command.bytes, settle: command.settle });
      } else {
        fences.push(command.settle);
      }
    }
    pass?.end();
    const collect = timestamps?.resolve(encoder);
    if (count > 0) device.queue.writeBuffer(this.#uniforms.buffer, 0, this.#words, 0, (count * UNIFORM_BYTES) / 4);
    device.queue.submit([encoder.finish()]);
    const scopes = Promise.all([device.popErrorScope(), device.popErrorScope(), device.popErrorScope()]);
    this.#inFlight++;
    const checked = scopes.then(([internal, memory, validation]) => {
      const error = validation ?? memory ?? internal;
      if (error) {
        const where = ops.size === 1 ? [...ops][0] : 'webgpu';
        const code = memory && !validation ? 'E_OOM' : 'E_INTERNAL';
        this.fail(new AnnealError(code, `${where}: expected ${[...ops].join(', ')} to run: ${error.message}`));
      }
    });
    void this.#settle(checked, reads, fences, collect);
  }

  #groupOf(dispatch: Dispatch): GPUBindGroup {
    const { epoch } = this.#pipelines;
    if (dispatch.binding?.epoch === epoch) return dispatch.binding.group;
    const group = this.#pipelines.bindGroup(dispatch.pipeline, this.#uniforms, dispatch.bound);
    dispatch.binding = { group, epoch };
    return group;
  }

  async #settle(
    checked: Promise<void>,
    reads: readonly { staging: GPUBuffer; capacity: number; bytes: number; settle: Settle<ArrayBuffer> }[],
    fences: readonly Settle<void>[],
    collect: (() => Promise<void>) | undefined,
  ): Promise<void> {
    try {
      const mapped = reads.map(({ staging }) => staging.mapAsync(GPUMapMode.READ));
      const done = this.#device.queue.onSubmittedWorkDone();
      await Promise.all([checked, done, collect?.(), ...mapped]);
      const failure = reads.length + fences.length > 0 ? this.#takeFailure() : null;
      for (const { staging, capacity, bytes, settle } of reads) {
        const copy = staging.getMappedRange(0, bytes).slice(0);
        staging.unmap();
        this.#staging.get(capacity)?.push(staging);
        if (failure === null) settle.resolve(copy);
        else settle.reject(failure);
      }
      for (const settle of fences) {
        if (failure === null) settle.resolve();
        else settle.reject(failure);
      }
    } catch (error) {
      const failure = this.#lost ?? this.#takeFailure() ?? new AnnealError('E_DEVICE', `webgpu: ${reasonOf(error)}`);
      for (const { settle } of [...reads, ...fences.map((settle) => ({ settle }))]) settle.reject(failure);
    } finally {
      this.#inFlight--;
    }
  }

  #takeFailure(): AnnealError | null {
    const failure = this.#failure;
    this.#failure = null;
    return failure;
  }

  #takeStaging(bytes: number): { staging: GPUBuffer; capacity: number } {
    const capacity = 2 ** Math.max(8, Math.ceil(Math.log2(Math.max(1, bytes))));
    let list = this.#staging.get(capacity);
    if (list === undefined) {
      list = [];
      this.#staging.set(capacity, list);
    }
    const staging =
      list.pop() ??
      this.#device.createBuffer({
        label: `read ${capacity}`,
        size: capacity,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
    return { staging, capacity };
  }

  /** Gives pooled staging memory back. */
  trim(): void {
    for (const list of this.#staging.values()) for (const staging of list.splice(0)) staging.destroy();
  }
}
