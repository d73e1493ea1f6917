// What a call through the public API runs on its device: the ops it enqueues, with their parameters and operands, kept so
// that each kernel can be verified and timed by itself.
import type { Backend, Handle, OpName } from '../backend/backend.js';
import type { Cost } from '../ops/cost.js';
import { registry } from '../ops/registry.js';

/** One operand; null where it is absent. */
export interface OperandRef {
  readonly handle: Handle;
  readonly byteOffset: number;
  readonly bytes: number;
}

/** One op as it was enqueued. */
export interface OpCall {
  readonly op: OpName;
  readonly params: Uint8Array;
  readonly inputs: readonly (OperandRef | null)[];
  readonly outputs: readonly (OperandRef | null)[];
}

export class Capture implements Disposable {
  #held: Handle[];

  constructor(
    readonly backend: Backend,
    readonly calls: readonly OpCall[],
    held: Handle[],
  ) {
    this.#held = held;
  }

  /** Gives back the buffers that the calls work on. */
  [Symbol.dispose](): void {
    for (const handle of this.#held.splice(0)) this.backend.free(handle);
  }
}

/** The operand triples as `Backend.run` takes them. */
export function encodeRefs(inputs: OpCall['inputs'], outputs: OpCall['outputs']): Float64Array {
  return Float64Array.from(
    [...inputs, ...outputs].flatMap((ref) => (ref === null ? [0, 0, 0] : [ref.handle, ref.byteOffset, ref.bytes])),
  );
}

function decodeRefs(operands: Float64Array, from: number, count: number): (OperandRef | null)[] {
  return Array.from({ length: count }, (_, i) => {
    const at = 3 * (from + i);
    const [handle = 0, byteOffset = 0, bytes = 0] = operands.subarray(at, at + 3);
    return handle === 0 ? null : { handle, byteOffset, bytes };
  });
}

/**
 * Runs `fn` and keeps the ops it enqueues on `backend`. Buffers that are freed meanwhile live on until the capture is
 * disposed, so that no two values of the call share one.
 */
export function capture(backend: Backend, fn: () => void): Capture {
  const { run, free } = backend;
  const calls: OpCall[] = [];
  const held: Handle[] = [];
  backend.run = (op, params, operands, nIn, nOut) => {
    run(op, params, operands, nIn, nOut);
    const [inputs, outputs] = [decodeRefs(operands, 0, nIn), decodeRefs(operands, nIn, nOut)];
    calls.push({ op, params: params.slice(), inputs, outputs });
  };
  backend.free = (handle) => {
    held.push(handle);
  };
  try {
    fn();
  } finally {
    backend.run = run;
    backend.free = free;
  }
  return new Capture(backend, calls, held);
}

const bytesOf = (refs: OpCall['inputs']): number[] => refs.map((ref) => ref?.bytes ?? 0);

/** What a call costs at least. */
export function costOf({ op, params, inputs, outputs }: OpCall): Cost {
  return registry[op].cost(params, { inputs: bytesOf(inputs), outputs: bytesOf(outputs) });
}

/** Bytes of all operands together. */
export function workingSet({ inputs, outputs }: OpCall): number {
  return [...bytesOf(inputs), ...bytesOf(outputs)].reduce((a, b) => a + b, 0);
}
