// A profile while it is taken. Nothing in the path of an op looks whether one is: the backend's functions are replaced by
// ones that watch, and put back at the end. Which thread ran what when is kept by the addon (native/core/profile.h).
import type { Backend, Ranges } from '../backend/backend.js';
import { backendOf, cpuInfo, defaultDevice } from '../backend/device.js';
import { type Tracer, tracing } from '../backend/tracing.js';
import { AnnealError } from '../errors.js';
import { version } from '../version.js';
import { CallLog } from './call_log.js';
import type { ProfileRecording, SpanColumns } from './recording.js';

/** Of each thread: a quarter of a million, some 150 bytes each in the file. */
export const DEFAULT_EVENTS = 2 ** 18;
const MAX_EVENTS = 2 ** 26;

const CLOCK_READINGS = 20;

/** What JavaScript did, or waited for. */
class SpanLog {
  dropped = 0;
  readonly #capacity: number;
  readonly #name: string[] = [];
  readonly #start: number[] = [];
  readonly #end: number[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  add(name: string, start: number, end: number): void {
    if (this.#name.length >= this.#capacity) {
      this.dropped++;
      return;
    }
    this.#name.push(name);
    this.#start.push(start);
    this.#end.push(end);
  }

  columns(): SpanColumns {
    return { name: this.#name, start: Float64Array.from(this.#start), end: Float64Array.from(this.#end) };
  }
}

/** @throws E_ARGUMENT unless there can be room for so many events of each thread */
export function checkEvents(events: number): void {
  if (Number.isInteger(events) && events >= 1 && events <= MAX_EVENTS) return;
  throw new AnnealError(
    'E_ARGUMENT',
    `profile: expected events to be an integer in [1, ${MAX_EVENTS}], received ${events}`,
  );
}

type Watched = 'run' | 'planRun' | 'write' | 'read' | 'readSync' | 'sync';

let current: ProfileSession | null = null;

/** Whether a profile is being taken. */
export function isProfiling(): boolean {
  return current !== null;
}

export class ProfileSession implements Tracer {
  readonly #backend: Backend;
  readonly #calls: CallLog;
  readonly #spans: SpanLog;
  readonly #awaited: SpanLog;
  /** `performance.now()` when it began. */
  readonly #origin: number;
  readonly #deviceStart: number;
  readonly #original: Pick<Backend, Watched>;
  /** Null: nobody asks for them. */
  readonly #ranges: Ranges | null;

  /**
   * Watches the default device, with room for `events` events of each thread.
   * @throws E_ARGUMENT while another profile is taken, E_OOM
   */
  constructor(events = DEFAULT_EVENTS) {
    checkEvents(events);
    if (current !== null)
      throw new AnnealError(
        'E_ARGUMENT',
        'profile: expected no other profile to be taken, received one within another',
      );
    this.#backend = backendOf(defaultDevice());
    this.#ranges = this.#backend.profiler.ranges?.() ?? null;
    this.#calls = new CallLog(events);
    this.#spans = new SpanLog(events);
    this.#awaited = new SpanLog(events);
    this.#backend.profiler.start(events);
    this.#origin = this.now();
    this.#deviceStart = this.#readClocks();
    const { run, planRun, write, read, readSync, sync } = this.#backend;
    this.#original = { run, planRun, write, read, readSync, sync };
    this.#watch();
    tracing.by = this;
    current = this;
  }

  now(): number {
    return performance.now();
  }

  began(name: string): number {
    this.#ranges?.pushRange(name);
    return this.now();
  }

  did(name: string, start: number): void {
    this.#ranges?.popRange();
    this.#spans.add(name, start - this.#origin, this.now() - this.#origin);
  }

  awaited(name: string, start: number): void {
    this.#awaited.add(name, start - this.#origin, this.now() - this.#origin);
  }

  /**
   * Where the device's clock stood at 0, on ours: the reading that took the least time is off by half of that at most, some
   * hundred nanoseconds. Both clocks are the system's monotonic one, so they do not drift apart.
   */
  #readClocks(): number {
    let least = Number.POSITIVE_INFINITY;
    let deviceStart = 0;
    for (let i = 0; i < CLOCK_READINGS; i++) {
      const before = performance.now();
      const device = this.#backend.profiler.now() / 1e6;
      const after = performance.now();
      if (after - before >= least) continue;
      least = after - before;
      deviceStart = (before + after) / 2 - device - this.#origin;
    }
    return deviceStart;
  }

  #watch(): void {
    const backend = this.#backend;
    const { run, planRun, write, read, readSync, sync } = this.#original;
    const origin = this.#origin;
    backend.run = (id, nIn, nOut, half = 0) => {
      const start = performance.now();
      run(id, nIn, nOut, half);
      const end = performance.now();
      const at = { sequence: backend.submitted(), start: start - origin, end: end - origin };
      this.#calls.noteCall(backend.block, { id, nIn, nOut, half }, at);
    };
    backend.planRun = (plan, bindings, params) => {
      const start = performance.now();
      planRun(plan, bindings, params);
      const end = performance.now();
      const at = { sequence: backend.submitted(), start: start - origin, end: end - origin };
      this.#calls.notePlan(backend.planOps(plan), params, at);
    };
    backend.write = (handle, byteOffset, data) => {
      const start = this.began('write');
      try {
        write(handle, byteOffset, data);
      } finally {
        this.did('write', start);
      }
    };
    backend.readSync = (handle, byteOffset, byteLength) => {
      const start = this.began('read, blocking');
      try {
        return readSync(handle, byteOffset, byteLength);
      } finally {
        this.did('read, blocking', start);
      }
    };
    backend.read = (handle, byteOffset, byteLength) => this.#untilSettled('read', read(handle, byteOffset, byteLength));
    backend.sync = () => this.#untilSettled('sync', sync());
  }

  #untilSettled<T>(name: string, promise: Promise<T>): Promise<T> {
    const start = this.now();
    const settled = (): void => {
      if (current === this) this.awaited(name, start);
    };
    promise.then(settled, settled);
    return promise;
  }

  /** Waits for what is enqueued, blocking this thread, and gives everything that was seen. */
  stop(): ProfileRecording {
    Object.assign(this.#backend, this.#original);
    tracing.by = null;
    current = null;
    const events = this.#backend.profiler.stop();
    const { threads, isa } = cpuInfo();
    return {
      version,
      device: this.#backend.name,
      threads,
      isa,
      pid: process.pid,
      milliseconds: this.now() - this.#origin,
      events,
      deviceStart: this.#deviceStart,
      signatures: this.#calls.signatures,
      calls: this.#calls.columns(),
      spans: this.#spans.columns(),
      awaited: this.#awaited.columns(),
      dropped: { calls: this.#calls.dropped, spans: this.#spans.dropped + this.#awaited.dropped },
    };
  }
}
