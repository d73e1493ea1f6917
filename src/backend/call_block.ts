// The memory that the addon takes a call from: native/bindings/context.h.
import { addon } from '../binding.js';
import type { CallBlock } from './backend.js';

const HEAD_BYTES = 16;
const PARAM_BYTES = 256;

export interface NativeCallBlock extends CallBlock {
  /** Op, nIn, nOut, and a bit for each operand that is stored as f16. */
  readonly head: Uint32Array;
  readonly bytes: Uint8Array;
}

export function createCallBlock(): NativeCallBlock {
  const memory = addon().callBlock();
  return {
    head: new Uint32Array(memory, 0, HEAD_BYTES / 4),
    bytes: new Uint8Array(memory, HEAD_BYTES, PARAM_BYTES),
    params: {
      u32: new Uint32Array(memory, HEAD_BYTES, PARAM_BYTES / 4),
      i32: new Int32Array(memory, HEAD_BYTES, PARAM_BYTES / 4),
      f32: new Float32Array(memory, HEAD_BYTES, PARAM_BYTES / 4),
    },
    operands: new Float64Array(memory, HEAD_BYTES + PARAM_BYTES),
  };
}
