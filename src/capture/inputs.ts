// What inputs look like: which of them a plan is for.
import { formatShape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { InputPlace } from './plan.js';

/** What an input was when the function ran on it: a plan is for inputs that are the same in this. */
export interface InputLook extends InputPlace {
  readonly dtype: Tensor['dtype'];
  readonly shape: Tensor['shape'];
  readonly requiresGrad: boolean;
}

export function lookOf({ storage, byteOffset, byteLength, dtype, shape, requiresGrad }: Tensor): InputLook {
  return { storage, byteOffset, byteLength, dtype, shape, requiresGrad };
}

function overlap(a: InputPlace, b: InputPlace): boolean {
  return (
    a.storage === b.storage && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength
  );
}

/** Whether a plan for inputs that looked so serves these. */
export function alike(looks: readonly InputLook[], inputs: readonly Tensor[]): boolean {
  for (let i = 0; i < looks.length; i++) {
    const look = looks[i];
    const input = inputs[i];
    if (!look || !input || look.dtype !== input.dtype || look.requiresGrad !== input.requiresGrad) return false;
    if (look.shape.length !== input.shape.length) return false;
    for (let d = 0; d < look.shape.length; d++) if (look.shape[d] !== input.shape[d]) return false;
    // Which inputs share memory decides which of them an op reads.
    for (let j = 0; j < i; j++) {
      const [earlierLook, earlier] = [looks[j], inputs[j]];
      if (earlierLook && earlier && overlap(earlierLook, look) !== overlap(earlier, input)) return false;
    }
  }
  return true;
}

export function describe(names: readonly string[], looks: readonly InputLook[]): string {
  return names.map((name, i) => `${name}: ${looks[i]?.dtype} ${formatShape(looks[i]?.shape ?? [])}`).join(', ');
}
