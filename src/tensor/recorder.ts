// Who watches what is enqueued: a capture, while it runs its function. Everything below it works the same without.

import type { FieldSpec, FieldValues, Live, ParamStruct } from '../backend/params.js';
import type { Storage } from './storage.js';
import type { Tensor } from './tensor.js';

export type AnyValues = FieldValues<Record<string, FieldSpec>>;
export type Operands = readonly (Tensor | null | undefined)[];

export interface Recorder {
  /** An op was enqueued. `values` are read again for each replay where they are a function or hold a Scalar. */
  enqueued<F extends Record<string, FieldSpec>>(
    struct: ParamStruct<F>,
    values: Live<FieldValues<F>>,
    inputs: Operands,
    outputs: Operands,
  ): void;
  allocated(storage: Storage): void;
  /** The host is about to write to a storage. */
  written(storage: Storage, byteOffset: number, values: Uint8Array): void;
  /**
   * The function does what no replay could do again; `expected` completes "expected a function that ...". Either throws
   * E_ARGUMENT or lets it go on.
   */
  refuse(expected: string, received: string): void;
  /** The values of a tensor are needed, or another view of them. */
  used(tensor: Tensor): void;
  /** Whether a storage was made meanwhile. */
  made(storage: Storage): boolean;
  /** See the functions below. */
  effect(state: object, fn: () => void): void;
  guard(value: () => unknown, state?: object): void;
}

/** The capture that records now, or null. A field of an object, so that the hot path reads it without a call. */
export const recording: { by: Recorder | null } = { by: null };

/** Runs `fn` unseen by a capture. */
export function unrecorded<T>(fn: () => T): T {
  const { by } = recording;
  if (by === null) return fn();
  recording.by = null;
  try {
    return fn();
  } finally {
    recording.by = by;
  }
}

/**
 * Does `fn` now, and again in each replay if this is being captured: for what changes on the host along with enqueued ops.
 * `state` is what it changes: guards of it that follow hold by themselves. What `fn` itself enqueues runs before the ops of
 * the replay.
 */
export function effect(state: object, fn: () => void): void {
  unrecorded(fn);
  recording.by?.effect(state, fn);
}

/**
 * Tells a capture that what it records holds only as long as `value()`, a part of `state`, is what it is now; compared with
 * `Object.is` before a replay.
 */
export function guard(value: () => unknown, state?: object): void {
  recording.by?.guard(value, state);
}
