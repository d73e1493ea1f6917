// The one file that loads the addon. Everything the addon throws is turned into an AnnealError here.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { AnnealError, isErrorCode } from './errors.js';
import { packageRoot } from './package_root.js';

export interface OpField {
  readonly name: string;
  readonly type: 'u32' | 'i32' | 'f32';
  readonly offset: number;
  readonly count: number;
}

export interface OpInfo {
  readonly id: number;
  readonly name: string;
  readonly paramBytes: number;
  readonly fields: readonly OpField[];
  readonly minIn: number;
  readonly maxIn: number;
  readonly minOut: number;
  readonly maxOut: number;
}

export type InstructionSet = 'reference' | 'baseline' | 'avx2' | 'avx512';

export interface CpuInfo {
  readonly threads: number;
  readonly isa: InstructionSet;
  /** The instruction sets this build contains. */
  readonly compiled: readonly InstructionSet[];
  /** Those of them this CPU has. */
  readonly runnable: readonly InstructionSet[];
}

/** What one thread did while a profile was taken: a number for each event. */
export interface EventColumns {
  /** Nanoseconds since the profile began. */
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Of the queue's record, counted from 1. */
  readonly sequence: Float64Array;
  /** Of the op within its record. */
  readonly index: Uint32Array;
  /** On the queue: the op's id, or 2^32 - 1 for a copy. In the pool: the number of tasks. */
  readonly what: Uint32Array;
  /** Events that the buffer had no room for. */
  readonly dropped: number;
}

/** Events of the queue's thread, and each pool thread's shares of ops; pool thread 0 is the queue's own. */
export interface DeviceEvents {
  readonly queue: EventColumns;
  readonly workers: readonly EventColumns[];
}

/** What the addon exports of each device. Each environment (main thread, worker) has buffers and a queue of its own. */
export interface NativeDevice {
  alloc(bytes: number): number;
  free(handle: number, collected?: boolean): void;
  write(handle: number, byteOffset: number, data: ArrayBufferView): void;
  read(handle: number, byteOffset: number, byteLength: number): Promise<ArrayBuffer>;
  readSync(handle: number, byteOffset: number, byteLength: number): ArrayBuffer;
  /** `half`: a bit for each operand that is stored as f16, inputs first. Default none. */
  run(op: number, params: Uint8Array, operands: Float64Array, nIn: number, nOut: number, half?: number): void;
  /** As `run`, from the call block: without arguments to unwrap it costs a fraction. */
  submit(): void;
  /**
   * Checks the call in the call block as `submit` would, without enqueuing it: for devices that are not the addon's. Handles
   * are any numbers in [1, 2^26) that tell buffers apart.
   */
  checkCall(): void;
  /**
   * Keeps a list of ops as fours (op, nIn, nOut, half), with the triples (slot or -1, byteOffset, byteLength) of all operands one
   * after the other, and gives its id.
   */
  planCreate(slots: number, ops: Uint32Array, operands: Float64Array): number;
  /**
   * Enqueues all ops of a plan: `bindings` holds a triple (handle, byteOffset, byteLength) for each slot, `params` every op's
   * parameters, each from a multiple of 8 bytes on.
   */
  planRun(plan: number, bindings: Float64Array, params: Uint8Array): void;
  planFree(plan: number): void;
  /**
   * Runs an op `samples * inner` times and gives the seconds of one execution in each sample, by the addon's own clock
   * around the kernel. With `cold` 1 the operands are evicted from the caches before each sample. Ops that update their
   * outputs do so each time. E_RANGE for more than 2^24 executions, and, after the first, for any that would take more
   * than ten minutes together.
   */
  time(
    op: number,
    params: Uint8Array,
    operands: Float64Array,
    nIn: number,
    nOut: number,
    samples: number,
    inner: number,
    cold: 0 | 1,
  ): Promise<Float64Array>;
  sync(): Promise<void>;
  wait(): void;
  /** Records enqueued so far: the sequence number of the latest. */
  submitted(): number;
  /** Keeps up to so many events of each thread. Waits for the queue to drain. @throws E_ARGUMENT while it already does */
  profileStart(events: number): void;
  /** Nanoseconds since the start. @throws E_ARGUMENT without one */
  profileNow(): number;
  /** Waits for the queue to drain, and ends it. @throws E_ARGUMENT without a start */
  profileStop(): DeviceEvents;
  /** Records that are enqueued and not done, and how often a call had to wait because the queue was full. */
  queued(): { records: number; waits: number };
  memory(): { liveBytes: number; pooledBytes: number; peakBytes: number; liveBuffers: number };
  trim(): number;
  // Failures on demand, for tests (native/core/fault.h): of the events from the `first` on, counted from 1, the next `times`
  // fail; 0 and 0 end it.
  /** Of tensors, copies in and copies out. Gives whether any that the last call asked for has failed. */
  failAllocation(first: number, times: number): boolean;
  /** Executions of one op, with E_INTERNAL. */
  failOp(op: number, first: number, times: number): void;
  /** Of the kernels' scratch memory. */
  failScratch(first: number, times: number): void;
}

/** What the addon exports: the functions of the CPU device among the rest. */
export interface Addon extends NativeDevice {
  /**
   * The memory from which `submit` takes a call, the same object each time: u32 op, nIn, nOut and half, 256 bytes of
   * params, then 16 operands of three f64 (handle, byteOffset, byteLength).
   */
  callBlock(): ArrayBuffer;
  ops(): OpInfo[];
  device(): CpuInfo;
  /** Waits for the queue to drain. */
  setThreads(threads: number): void;
  /** The kernels that ops enqueued from now on run. */
  setIsa(name: InstructionSet): void;
  /**
   * Images [N, H, W, C] after a list of stages, twelve numbers each (native/images/augment.h); the first image is at `position` of
   * the epoch. On `pieces` threads of Node.js's pool; the array may be used again at once.
   */
  augment(
    images: Uint8Array | Float32Array,
    shape: Float64Array,
    stages: Float64Array,
    epoch: number,
    position: number,
    pieces: number,
  ): Promise<ArrayBuffer>;
  /** Images mixed with their partners; `mix`: weight, top, left, bottom, right. */
  mixImages(
    images: Uint8Array | Float32Array,
    shape: Float64Array,
    partners: Float64Array,
    mix: Float64Array,
    pieces: number,
  ): Promise<ArrayBuffer>;
  /** CUDA devices; 0 with the reason. */
  cudaDevices(): CudaDevices;
  /** Opens a CUDA device. @throws E_DEVICE with the reason */
  openCuda(ordinal: number): CudaDevice;
}

export interface CudaDevices {
  readonly count: number;
  /** Why there is none. */
  readonly reason: string;
  /** The driver is the emulated one of the tests. */
  readonly emulated: boolean;
  /** The CUDA toolkit that compiled the kernels, 13000 for 13.0; 0: this build has none. */
  readonly toolkit: number;
  /** Whether this build gives NVIDIA's tools names for what is done while a profile is taken. */
  readonly nvtx: boolean;
}

export type Precision = 'f32' | 'tf32' | 'bf16';

export interface CudaDevice extends NativeDevice {
  readonly about: {
    readonly name: string;
    /** 90 for 9.0. */
    readonly computeCapability: number;
    readonly multiprocessors: number;
    readonly memoryBytes: number;
    readonly clockKilohertz: number;
    readonly memoryClockKilohertz: number;
    readonly memoryBusBits: number;
    /** The CUDA version of the driver, 13000 for 13.0. */
    readonly driver: number;
    readonly emulated: boolean;
  };
  /** What products compute in, from the next op on; they add up in f32. @throws E_DEVICE where the GPU cannot */
  setPrecision(precision: Precision): void;
  /** CUDA graphs made for plans so far, and kernels in them that got other arguments. */
  graphs(): { made: number; changed: number };
  /** Whether a tool of NVIDIA's (Nsight Systems) takes ranges. */
  rangesWatched(): boolean;
  /** Begins a range by this name on this thread, within those that are open; nothing without a tool. */
  pushRange(name: string): void;
  /** Ends the innermost. */
  popRange(): void;
}

/** The error as an AnnealError, whatever it was. */
export function toAnnealError(error: unknown): AnnealError {
  if (error instanceof AnnealError) return error;
  if (error instanceof Error) {
    const code = 'code' in error && isErrorCode(error.code) ? error.code : 'E_INTERNAL';
    return new AnnealError(code, error.message, { cause: error });
  }
  return new AnnealError('E_INTERNAL', String(error));
}

/** Where the addon lies. @throws E_DEVICE where there is none */
export function addonPath(): string {
  const root = packageRoot();
  const candidates = [
    ...(process.env.ANNEAL_ADDON ? [process.env.ANNEAL_ADDON] : []),
    join(root, 'build', 'Release', 'anneal.node'),
    join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'anneal.node'),
  ];
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) {
    throw new AnnealError(
      'E_DEVICE',
      `expected the native addon at ${candidates[0]}, found none: run "npm rebuild anneal" (or "npm run build:addon" in the repository)`,
    );
  }
  return found;
}

function load(): Addon {
  let raw: Addon;
  try {
    raw = createRequire(import.meta.url)(addonPath());
  } catch (error) {
    throw toAnnealError(error);
  }
  return guard(raw);
}

const call = <A extends unknown[], R>(fn: (...args: A) => R) => {
  return (...args: A): R => {
    try {
      return fn(...args);
    } catch (error) {
      throw toAnnealError(error);
    }
  };
};

const rethrow = (error: unknown): never => {
  throw toAnnealError(error);
};

/** Each function wrapped, so that what it throws or rejects with is an AnnealError. */
function guardDevice(raw: NativeDevice): NativeDevice {
  const read = call(raw.read);
  const sync = call(raw.sync);
  const time = call(raw.time);
  return {
    // Written out: the hot path, and spreading arguments costs more than the call.
    alloc(bytes) {
      try {
        return raw.alloc(bytes);
      } catch (error) {
        throw toAnnealError(error);
      }
    },
    free(handle, collected) {
      try {
        raw.free(handle, collected);
      } catch (error) {
        throw toAnnealError(error);
      }
    },
    write: call(raw.write),
    read: (handle, byteOffset, byteLength) => read(handle, byteOffset, byteLength).catch(rethrow),
    readSync: call(raw.readSync),
    run(op, params, operands, nIn, nOut, half) {
      try {
        raw.run(op, params, operands, nIn, nOut, half);
      } catch (error) {
        throw toAnnealError(error);
      }
    },
    checkCall: call(raw.checkCall),
    submit() {
      try {
        raw.submit();
      } catch (error) {
        throw toAnnealError(error);
      }
    },
    planCreate: call(raw.planCreate),
    planRun(plan, bindings, params) {
      try {
        raw.planRun(plan, bindings, params);
      } catch (error) {
        throw toAnnealError(error);
      }
    },
    planFree: call(raw.planFree),
    time: (...args) => time(...args).catch(rethrow),
    sync: () => sync().catch(rethrow),
    wait: call(raw.wait),
    submitted: call(raw.submitted),
    profileStart: call(raw.profileStart),
    profileNow: call(raw.profileNow),
    profileStop: call(raw.profileStop),
    queued: call(raw.queued),
    memory: call(raw.memory),
    trim: call(raw.trim),
    failAllocation: call(raw.failAllocation),
    failOp: call(raw.failOp),
    failScratch: call(raw.failScratch),
  };
}

function guardCuda(raw: CudaDevice): CudaDevice {
  const { about } = raw;
  return {
    ...guardDevice(raw),
    about,
    setPrecision: call(raw.setPrecision),
    graphs: call(raw.graphs),
    rangesWatched: raw.rangesWatched,
    pushRange: call(raw.pushRange),
    popRange: raw.popRange,
  };
}

function guard(raw: Addon): Addon {
  const openCuda = call(raw.openCuda);
  const augment = call(raw.augment);
  const mixImages = call(raw.mixImages);
  return {
    ...guardDevice(raw),
    callBlock: call(raw.callBlock),
    ops: call(raw.ops),
    device: call(raw.device),
    setThreads: call(raw.setThreads),
    setIsa: call(raw.setIsa),
    augment: (...args) => augment(...args).catch(rethrow),
    mixImages: (...args) => mixImages(...args).catch(rethrow),
    cudaDevices: call(raw.cudaDevices),
    openCuda: (ordinal) => guardCuda(openCuda(ordinal)),
  };
}

let loaded: Addon | undefined;

/** The addon, loaded on first use: nothing is probed at import. @throws E_DEVICE when it is not built */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}
