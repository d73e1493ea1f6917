// Scopes: tensors made inside are disposed at the end, except those that leave it.
import { AnnealError } from '../errors.js';
import type { Tensor } from './tensor.js';

/** One open scope: the tensors made in it, of which some may have left it since. */
export class Owner {
  readonly made: Tensor[] = [];
}

const stack: Owner[] = [];

/** The innermost open scope, which owns what is made now; null outside of all. */
export function innermost(): Owner | null {
  return stack[stack.length - 1] ?? null;
}

/** Takes a tensor out of every open scope: it lives until it is disposed by hand or collected. Returns it. */
export function keep<T extends Tensor>(tensor: T): T {
  tensor.moveTo(null);
  return tensor;
}

/** Tensors within a value: itself, or in arrays and plain objects. */
function* tensorsIn(value: unknown, isTensor: (value: unknown) => value is Tensor): Generator<Tensor> {
  if (isTensor(value)) yield value;
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn(item, isTensor);
  else if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) yield* tensorsIn(item, isTensor);
  }
}

let isTensor: (value: unknown) => value is Tensor = (_value): _value is Tensor => false;

/** Told once by tensor.ts, which would otherwise be imported in a circle. */
export function defineTensorTest(test: (value: unknown) => value is Tensor): void {
  isTensor = test;
}

/**
 * Runs `fn` and disposes every tensor made in it, except those in what it returns (also within arrays and plain
 * objects), which go to the enclosing scope, and those passed to `keep`. @throws E_ARGUMENT when `fn` is asynchronous
 */
export function scope<T>(fn: () => T): T {
  const owner = new Owner();
  const outer = innermost();
  stack.push(owner);
  try {
    const result = fn();
    if (result instanceof Promise) {
      result.catch(() => undefined);
      throw new AnnealError(
        'E_ARGUMENT',
        'scope: expected a synchronous function, received one that returns a promise',
      );
    }
    for (const tensor of tensorsIn(result, isTensor)) if (tensor.owner === owner) tensor.moveTo(outer);
    return result;
  } finally {
    stack.pop();
    for (const tensor of owner.made) if (tensor.owner === owner) tensor.dispose();
  }
}
