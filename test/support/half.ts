// Operands of a case stored as f16.
import { narrow, widen } from '../../src/tensor/half.js';
import type { Placed } from './conformance.js';

/** The values of an operand that is f32 to its contract. */
function valuesOf({ image, offset, bytes }: Placed): Float32Array {
  return new Float32Array(image.slice(offset, offset + bytes).buffer);
}

function placed(from: Placed, values: Uint8Array, offset: number): Placed {
  const guard = from.image[0] ?? 0;
  const image = new Uint8Array(offset + values.length + offset).fill(guard);
  image.set(values, offset);
  return { operand: from.operand, image, offset, bytes: values.length };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The operand stored as f16; `misaligned`: at a place where no f32 could lie. */
export function asHalf(operand: Placed, misaligned: boolean): Placed {
  return placed(operand, bytesOf(narrow(valuesOf(operand))), misaligned ? 34 : 64);
}

/** The operand as f32, of values that f16 holds. */
export function roundedToHalf(operand: Placed): Placed {
  return placed(operand, bytesOf(widen(narrow(valuesOf(operand)))), 64);
}

/** What an output of f32 is when it is stored as f16. */
export function halfWords(bytes: Uint8Array): Uint16Array {
  return narrow(new Float32Array(bytes.slice().buffer));
}
