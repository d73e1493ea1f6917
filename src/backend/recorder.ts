// Who watches what is enqueued: a capture, while it runs its function. Everything below it works the same without.
import type { Storage } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import type { FieldSpec, FieldValues, Live, ParamStruct } from './params.js';

export type AnyValues = FieldValues<Record<string, FieldSpec>>;
type Operands = readonly (Tensor | null | undefined)[];

export interface Recorder {
  /** An op was enqueued. `values` are read again for each replay where they are a function or hold a Scalar. */
  enqueued(params: ParamStruct, values: Live<AnyValues>, inputs: Operands, outputs: Operands): void;
  allocated(storage: Storage): void;
  /** The host wrote to a storage. */
  written(storage: Storage): void;
  /** Somebody wants values on the host. @throws E_ARGUMENT: they would be those of the first run */
  refuseRead(what: string): void;
  /** Something happened on the host that each replay must do again. */
  effect(fn: () => void): void;
  /** Something on the host that ops depend on: a replay with another value is of another plan. */
  guard(value: () => unknown): void;
}

/** The capture that records now, or null. A field of an object, so that the hot path reads it without a call. */
export const recording: { by: Recorder | null } = { by: null };

/** Does `fn` now, and at each replay if this is being captured. For host state that goes along with enqueued ops. */
export function effect(fn: () => void): void {
  fn();
  recording.by?.effect(fn);
}

/** Tells a capture that what is recorded holds for the present value only; compared with `Object.is`. */
export function guard(value: () => unknown): void {
  recording.by?.guard(value);
}
