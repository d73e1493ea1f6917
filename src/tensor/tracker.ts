// Who made each live tensor: kept only while somebody asks for it.
import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DType } from './dtype.js';
import type { Shape } from './shape.js';

/** A tensor that is not disposed. */
export interface Leak {
  /** The op that made it; 'tensor' for one written from the host, 'view' for another view of a tensor's memory. */
  readonly op: string;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Of its values. */
  readonly bytes: number;
  /** Where it was made, 'file:line:column', outside of this library; null when the stack does not say. */
  readonly at: string | null;
}

/** What is known of a tensor from the start, and does not keep it alive. */
interface Made {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly byteLength: number;
}

interface Entry {
  readonly made: Omit<Made, 'id'>;
  /** null until an op takes it as its output. */
  op: string | null;
  /** An Error that is not thrown: its text is made only when it is asked for. */
  readonly trace: { readonly stack?: string };
}

/** Frames kept of each stack: a tensor deep in backward is made some twenty calls below its user's. */
const FRAMES = 60;

export class Tracker {
  readonly #entries = new Map<number, Entry>();

  /** A tensor was made. */
  add({ id, shape, dtype, byteLength }: Made, op: string | null): void {
    const before = Error.stackTraceLimit;
    Error.stackTraceLimit = FRAMES;
    const trace = new Error();
    Error.stackTraceLimit = before;
    this.#entries.set(id, { made: { shape, dtype, byteLength }, op, trace });
  }

  /** An op writes into a tensor. The first to do so made it; one on the tape has the name that its user knows. */
  name(id: number, op: string, recorded = false): void {
    const entry = this.#entries.get(id);
    if (entry && (recorded || entry.op === null)) entry.op = op;
  }

  delete(id: number): void {
    this.#entries.delete(id);
  }

  /** Oldest first. */
  live(): Leak[] {
    return [...this.#entries.values()].map(({ made, op, trace }) => ({
      op: op ?? 'empty',
      shape: made.shape,
      dtype: made.dtype,
      bytes: made.byteLength,
      at: outerFrame(trace.stack ?? ''),
    }));
  }
}

/** What counts tensors now, or null. A field of an object, so that the hot path reads it without a call. */
export const tracking: { by: Tracker | null } = { by: null };

/** The folder of this library's code: src/, or dist/, bundled or not. */
const library = dirname(dirname(fileURLToPath(import.meta.url))) + sep;

/** The first frame of a stack that lies neither in this library nor in Node.js. */
function outerFrame(stack: string): string | null {
  for (const line of stack.split('\n').slice(1)) {
    const [, place] = /\(?((?:file:\/\/|\/|[A-Za-z]:\\).*:\d+:\d+)\)?$/.exec(line) ?? [];
    if (place === undefined) continue;
    const path = place.startsWith('file://')
      ? place.replace(/^file:.*?(?=:\d+:\d+$)/, (url) => fileURLToPath(url))
      : place;
    if (!path.startsWith(library)) return path;
  }
  return null;
}
