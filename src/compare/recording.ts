// The ops of a script with everything they read, one after the other in a file: what `anneal compare` replays. An environment
// variable says where it goes, as with profiles: the library, when the script imports it, records at once.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { isMainThread } from 'node:worker_threads';
import { type OpName, opNames } from '../backend/backend.js';
import { backendOf } from '../backend/device.js';
import { AnnealError } from '../errors.js';
import { registry } from '../ops/registry.js';
import { widen } from '../tensor/half.js';

/** The variable's name; its value is JSON. */
export const RECORD_VARIABLE = 'ANNEAL_RECORD';

export interface RecordRequest {
  readonly file: string;
  /** Ops at most, from the first on. */
  readonly ops: number;
}

/** The values of an operand, as words, those of f16 widened: what the op computes with. null where it is absent. */
export type Values = Uint8Array | null;

/** An op, its operands before it ran. */
export interface RecordedCall {
  readonly op: OpName;
  readonly params: Uint8Array;
  readonly inputs: readonly Values[];
  readonly outputs: readonly Values[];
}

/** Starts recording the CPU's ops, if the environment asks for it. */
export function recordByEnvironment(): void {
  const request = process.env[RECORD_VARIABLE];
  if (request === undefined || !isMainThread) return;
  delete process.env[RECORD_VARIABLE];
  const { file, ops }: RecordRequest = JSON.parse(request);
  const backend = backendOf('cpu');
  const { run } = backend;
  const to = openSync(file, 'w');
  let left = ops;
  const valuesAt = (at: number, half: number): Values => {
    const [handle = 0, byteOffset = 0, bytes = 0] = backend.block.operands.slice(3 * at, 3 * at + 3);
    if (handle === 0) return null;
    const stored = backend.readSync(handle, byteOffset, bytes);
    return new Uint8Array((half >> at) & 1 ? widen(new Uint16Array(stored)).buffer : stored);
  };
  backend.run = (id, nIn, nOut, half = 0) => {
    const op = opNames[id];
    if (op !== undefined && left > 0) {
      const { params } = backend.block;
      const operands = Array.from({ length: nIn + nOut }, (_, i) => valuesAt(i, half));
      const bytes = new Uint8Array(params.u32.slice(0, registry[op].params.bytes / 4).buffer);
      append(to, { op, params: bytes, inputs: operands.slice(0, nIn), outputs: operands.slice(nIn) });
      if (--left === 0) {
        backend.run = run;
        closeSync(to);
      }
    }
    run(id, nIn, nOut, half);
  };
}

function append(file: number, call: RecordedCall): void {
  const bytes = serialize(call);
  const head = Buffer.alloc(8);
  head.writeDoubleLE(bytes.length);
  for (const part of [head, bytes]) {
    for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
  }
}

/** The ops of a recording, one at a time. @throws E_IO, E_FORMAT where it ends within an op */
export function* recordedCalls(path: string): Generator<RecordedCall> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw new AnnealError('E_IO', `compare: expected a recording, cannot read ${path}`, { cause });
  }
  try {
    const head = Buffer.alloc(8);
    while (readSync(file, head, 0, 8, null) === 8) {
      const bytes = Buffer.alloc(head.readDoubleLE());
      let at = 0;
      for (let got = 1; got > 0 && at < bytes.length; at += got)
        got = readSync(file, bytes, at, bytes.length - at, null);
      if (at < bytes.length) throw new AnnealError('E_FORMAT', `compare: expected whole ops, ${path} ends within one`);
      yield deserialize(bytes);
    }
  } finally {
    closeSync(file);
  }
}
