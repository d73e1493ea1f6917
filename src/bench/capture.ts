// What a call through the public API runs on its device: the ops it enqueues, with their parameters and operands, kept so
// that each kernel can be verified and timed by itself.
import { type Backend, type Handle, type OpName, opNames } from '../backend/backend.js';
import { AnnealError } from '../errors.js';
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

/** An op as far as its cost goes. */
export interface SizedCall {
  readonly op: OpName;
  readonly params: Uint8Array;
  readonly inputs: readonly (Pick<OperandRef, 'bytes'> | null)[];
  readonly outputs: readonly (Pick<OperandRef, 'bytes'> | null)[];
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

/** The operand triples as in a call block. */
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
  backend.run = (id, nIn, nOut, half = 0) => {
    run(id, nIn, nOut, half);
    const { params, operands } = backend.block;
    const op = opNames[id];
    if (half !== 0) throw new AnnealError('E_DTYPE', `capture: expected ops on f32, received f16 of ${op}`);
    if (op === undefined) throw new AnnealError('E_INTERNAL', `capture: expected the id of an op, received ${id}`);
    const words = params.u32.slice(0, registry[op].params.bytes / 4);
    const [inputs, outputs] = [decodeRefs(operands, 0, nIn), decodeRefs(operands, nIn, nOut)];
    calls.push({ op, params: new Uint8Array(words.buffer), inputs, outputs });
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

/** Enqueues a call as it was captured. */
export function runCall(backend: Backend, { op, params, inputs, outputs }: OpCall): void {
  const { block } = backend;
  new Uint8Array(block.params.u32.buffer, block.params.u32.byteOffset).set(params);
  block.operands.set(encodeRefs(inputs, outputs));
  backend.run(opNames.indexOf(op), inputs.length, outputs.length);
}

const bytesOf = (refs: SizedCall['inputs']): number[] => refs.map((ref) => ref?.bytes ?? 0);

/** What a call costs at least. */
export function costOf({ op, params, inputs, outputs }: SizedCall): Cost {
  return registry[op].cost(params, { inputs: bytesOf(inputs), outputs: bytesOf(outputs) });
}

/** Bytes of all operands together. */
export function workingSet({ inputs, outputs }: SizedCall): number {
  return [...bytesOf(inputs), ...bytesOf(outputs)].reduce((a, b) => a + b, 0);
}
