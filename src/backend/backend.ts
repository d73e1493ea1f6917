// The contract between tensors and a device. Every device is a queue: `run` and `write` enqueue and return; what they
// do happens in the order of the calls. `read` and `sync` settle once everything enqueued before them is done.

import type { DeviceEvents } from '../binding.js';

export type { DeviceEvents, EventColumns, Precision } from '../binding.js';

/** Names a buffer of one backend. Carries a generation: using one that was freed is an `E_DISPOSED` error. */
export type Handle = number;

export interface MemoryInfo {
  /** Bytes in live buffers, as asked for. */
  readonly liveBytes: number;
  /** Bytes kept for reuse. */
  readonly pooledBytes: number;
  /** The most bytes ever taken from the system at one time. */
  readonly peakBytes: number;
  readonly liveBuffers: number;
}

export interface Timing {
  readonly samples: number;
  /** Executions a sample. */
  readonly inner: number;
  /** Evict the operands from the caches before each sample; takes `inner` 1 to mean anything. */
  readonly cold: boolean;
}

/** The same bytes as words of each type. */
export interface WordViews {
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
}

/** Where a call is written before `run`. Contents are undefined between calls. */
export interface CallBlock {
  /** The op's parameter struct, from the first byte on. */
  readonly params: WordViews;
  /** nIn + nOut triples (handle, byteOffset, byteLength); handle 0 is an absent one. */
  readonly operands: Float64Array;
}

/** An operand of a recorded op: a part of a slot's memory. */
export interface PlanOperand {
  readonly slot: number;
  readonly byteOffset: number;
  readonly bytes: number;
  /** Stored as f16. */
  readonly half?: boolean;
}

/** A recorded op; an absent operand is null. */
export interface PlanOp {
  readonly op: OpName;
  readonly inputs: readonly (PlanOperand | null)[];
  readonly outputs: readonly (PlanOperand | null)[];
}

/** The bits of `Backend.run` for operands that know whether they are stored as f16. */
export function halfMask(operands: readonly ({ readonly half?: boolean } | null)[]): number {
  return operands.reduce((mask, operand, i) => (operand?.half ? mask | (1 << i) : mask), 0);
}

/** Keeps what the device's threads do, for a profile. */
export interface DeviceProfiler {
  /** Up to so many events a thread. Waits for what is enqueued. @throws E_ARGUMENT while another profile is taken */
  start(events: number): void;
  /** Nanoseconds since the start, on the clock of the events. */
  now(): number;
  /** Waits for what is enqueued, and gives all events since the start. */
  stop(): DeviceEvents;
  /** For a tool of the device's maker that asks for them, what this thread does by name; those of ops it gets from the device. */
  ranges?(): Ranges | null;
}

/** Ranges of time on this thread, each within those that are open. */
export interface Ranges {
  pushRange(name: string): void;
  popRange(): void;
}

export interface Backend {
  readonly name: DeviceName;
  /** For people: what it is. */
  readonly detail: string;
  /** A GPU that is a CPU: right, and slow. */
  readonly software: boolean;
  /** A buffer of at least `bytes` bytes, contents undefined. @throws E_OOM */
  alloc(bytes: number): Handle;
  /**
   * Gives the buffer back; ops already enqueued still see it. `collected`: because the garbage collector found it unused.
   * @throws E_DISPOSED
   */
  free(handle: Handle, collected?: boolean): void;
  /** Copies `data` out before returning. @throws E_DISPOSED, E_RANGE */
  write(handle: Handle, byteOffset: number, data: ArrayBufferView): void;
  /** Resolves with a copy; rejects with the first failure of an op enqueued before. */
  read(handle: Handle, byteOffset: number, byteLength: number): Promise<ArrayBuffer>;
  /** As `read`, blocking this thread. */
  readSync(handle: Handle, byteOffset: number, byteLength: number): ArrayBuffer;
  readonly block: CallBlock;
  /**
   * Enqueues the call in `block` of the op with this id, its place in `opNames`. `half` has a bit for each operand that is
   * stored as f16, the first input's lowest. @throws whatever the op's check refuses
   */
  run(op: number, nIn: number, nOut: number, half?: number): void;
  /** Keeps a recorded list of ops on `slots` pieces of memory, and gives its id. */
  planCreate(slots: number, ops: readonly PlanOp[]): number;
  /**
   * Enqueues every op of a plan. `bindings`: (handle, byteOffset, byteLength) of each slot; `params`: every op's parameter
   * struct, each from a multiple of 8 bytes on. @throws E_DISPOSED, E_RANGE, whatever an op's check refuses
   */
  planRun(plan: number, bindings: Float64Array, params: Uint8Array): void;
  planFree(plan: number): void;
  /** The ops of a plan as they were given. @throws E_DISPOSED */
  planOps(plan: number): readonly PlanOp[];
  /**
   * Enqueues one op, to be executed `samples * inner` times, and gives the seconds of one execution for each sample, by the
   * device's own clock around the kernel. `operands` as in a call block. @throws E_RANGE for more than 2^24 executions;
   * rejects with E_RANGE after the first where all would take more than ten minutes
   */
  time(
    op: OpName,
    params: Uint8Array,
    operands: Float64Array,
    nIn: number,
    nOut: number,
    timing: Timing,
  ): Promise<Float64Array>;
  /** How many ops, copies and fences were enqueued so far: the sequence number of the latest. */
  submitted(): number;
  readonly profiler: DeviceProfiler;
  /** Resolves when everything enqueued is done; rejects with the first failure since the last such call. */
  sync(): Promise<void>;
  /**
   * Whether so much is enqueued that some hundreds of calls more would have to wait for room, and this thread with them:
   * whoever can await something does so first.
   */
  crowded(): boolean;
  memory(): MemoryInfo;
  /** Returns pooled memory to the system and gives the number of bytes. */
  trim(): number;
}

/** A CUDA device by its ordinal, as the driver counts. */
export type CudaName = `cuda:${number}`;
/** 'cuda' is 'cuda:0'. */
export type DeviceName = 'cpu' | 'webgpu' | 'cuda' | CudaName;

/** Every op, in the order of its id: `kernels/ops.def` (a test compares). */
export const opNames = [
  'sgemm',
  'conv2d',
  'conv2d_backward_data',
  'conv2d_backward_weight',
  'depthwise_conv2d',
  'depthwise_conv2d_backward_data',
  'depthwise_conv2d_backward_weight',
  'max_pool2d',
  'max_pool2d_backward',
  'avg_pool2d',
  'avg_pool2d_backward',
  'unary',
  'binary',
  'where',
  'cast',
  'fill',
  'reduce',
  'strided_copy',
  'softmax',
  'softmax_backward',
  'softmax_cross_entropy',
  'softmax_cross_entropy_backward',
  'layer_norm',
  'layer_norm_backward',
  'batch_norm',
  'batch_norm_backward',
  'random',
  'dropout',
  'gather',
  'gather_backward',
  'sgd_momentum_ema',
  'adam',
  'rmsprop',
  'limit',
  'elementwise_chain',
] as const;

export type OpName = (typeof opNames)[number];
