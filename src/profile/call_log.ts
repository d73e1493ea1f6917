// Notes every op as it is enqueued. Calls that agree in op, parameters and sizes share a signature, so that a note is a few
// numbers, however often a step is repeated.
import { type CallBlock, type OpName, opNames, type PlanOp } from '../backend/backend.js';
import { registry } from '../ops/registry.js';
import type { CallColumns, Signature } from './recording.js';

/** A signature with what it is told apart by. */
interface Known {
  readonly words: Float64Array;
  readonly place: number;
}

/** In place of an absent operand's bytes. */
const ABSENT = -1;

export class CallLog {
  readonly signatures: Signature[] = [];
  dropped = 0;
  readonly #capacity: number;
  readonly #start: number[] = [];
  readonly #end: number[] = [];
  readonly #sequence: number[] = [];
  readonly #index: number[] = [];
  readonly #signature: number[] = [];
  /** By a hash of the words. */
  readonly #known = new Map<number, Known[]>();
  /** The call at hand: op, number of inputs, parameters, then the bytes of each operand. */
  readonly #words = new Float64Array(2 + 64 + 2 * 16);

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The call in the block, which was enqueued between the two times as record `sequence`. */
  noteCall({ params, operands }: CallBlock, { id, nIn, nOut, half }: CallHead, at: CallTimes): void {
    const op = opNames[id];
    if (op === undefined || this.#full()) return;
    const paramWords = registry[op].params.bytes / 4;
    let size = this.#head(op, id, nIn, params.u32, 0);
    for (let i = 0; i < nIn + nOut; i++)
      this.#words[size++] = operands[3 * i] === 0 ? ABSENT : asF32(operands[3 * i + 2] ?? 0, (half >> i) & 1);
    this.#push(this.#signatureOf(op, size, paramWords), 0, at);
  }

  /** Every op of a plan, which was enqueued with these parameters: each op's from a multiple of 8 bytes on. */
  notePlan(ops: readonly PlanOp[], params: Uint8Array, at: CallTimes): void {
    const words = new Uint32Array(params.buffer, params.byteOffset, params.byteLength / 4);
    let from = 0;
    for (const [index, { op, inputs, outputs }] of ops.entries()) {
      const paramWords = registry[op].params.bytes / 4;
      if (!this.#full()) {
        let size = this.#head(op, opNames.indexOf(op), inputs.length, words, from);
        for (const operand of inputs)
          this.#words[size++] = operand ? asF32(operand.bytes, Number(operand.half ?? false)) : ABSENT;
        for (const operand of outputs)
          this.#words[size++] = operand ? asF32(operand.bytes, Number(operand.half ?? false)) : ABSENT;
        this.#push(this.#signatureOf(op, size, paramWords), index, at);
      }
      from += 2 * Math.ceil(paramWords / 2);
    }
  }

  #full(): boolean {
    if (this.#start.length < this.#capacity) return false;
    this.dropped++;
    return true;
  }

  /** Writes the words before the operands', and gives their number. */
  #head(op: OpName, id: number, nIn: number, params: Uint32Array, from: number): number {
    const words = this.#words;
    words[0] = id;
    words[1] = nIn;
    let size = 2;
    const count = registry[op].params.bytes / 4;
    for (let i = 0; i < count; i++) words[size++] = params[from + i] ?? 0;
    return size;
  }

  #push(signature: number, index: number, { sequence, start, end }: CallTimes): void {
    this.#start.push(start);
    this.#end.push(end);
    this.#sequence.push(sequence);
    this.#index.push(index);
    this.#signature.push(signature);
  }

  #signatureOf(op: OpName, size: number, paramWords: number): number {
    const words = this.#words;
    let hash = size;
    for (let i = 0; i < size; i++) hash = Math.imul(hash ^ (words[i] ?? 0), 0x01000193) ^ (hash >>> 15);
    let list = this.#known.get(hash);
    if (list === undefined) {
      list = [];
      this.#known.set(hash, list);
    }
    for (const known of list) if (sameWords(known.words, words, size)) return known.place;
    const kept = words.slice(0, size);
    const place = this.signatures.push(decode(op, kept, paramWords)) - 1;
    list.push({ words: kept, place });
    return place;
  }

  columns(): CallColumns {
    return {
      start: Float64Array.from(this.#start),
      end: Float64Array.from(this.#end),
      sequence: Float64Array.from(this.#sequence),
      index: Uint32Array.from(this.#index),
      signature: Uint32Array.from(this.#signature),
    };
  }
}

/** What `Backend.run` is called with. */
export interface CallHead {
  readonly id: number;
  readonly nIn: number;
  readonly nOut: number;
  readonly half: number;
}

/** The bytes of an operand as the op sees it, which is what costs are counted in. */
const asF32 = (bytes: number, half: number): number => bytes * (1 + half);

/** A record of the queue, and when JavaScript enqueued it: milliseconds. */
export interface CallTimes {
  readonly sequence: number;
  readonly start: number;
  readonly end: number;
}

/** Whether `a` is the first `size` words of `b`. */
function sameWords(a: Float64Array, b: Float64Array, size: number): boolean {
  if (a.length !== size) return false;
  for (let i = 0; i < size; i++) if (a[i] !== b[i]) return false;
  return true;
}

function decode(op: OpName, words: Float64Array, paramWords: number): Signature {
  const firstOperand = 2 + paramWords;
  const firstOutput = firstOperand + (words[1] ?? 0);
  const operands = (from: number, to?: number): Signature['inputs'] =>
    Array.from(words.subarray(from, to), (bytes) => (bytes === ABSENT ? null : { bytes }));
  return {
    op,
    params: new Uint8Array(Uint32Array.from(words.subarray(2, firstOperand)).buffer),
    inputs: operands(firstOperand, firstOutput),
    outputs: operands(firstOutput),
  };
}
