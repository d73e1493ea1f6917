// Scopes: tensors made inside are disposed at the end, except those that leave it.
import { AnnealError } from '../errors.js';
import type { Tensor } from './tensor.js';

const stack: Set<Tensor>[] = [];

/** Called for each tensor made: the innermost scope owns it. */
export function enroll(tensor: Tensor): void {
  stack[stack.length - 1]?.add(tensor);
}

/** Takes a tensor out of every open scope: it lives until it is disposed by hand or collected. Returns it. */
export function keep<T extends Tensor>(tensor: T): T {
  for (const owned of stack) owned.delete(tensor);
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
  const owned = new Set<Tensor>();
  stack.push(owned);
  let survivors: Set<Tensor> = new Set();
  try {
    const result = fn();
    if (result instanceof Promise) {
      result.catch(() => undefined);
      throw new AnnealError(
        'E_ARGUMENT',
        'scope: expected a synchronous function, received one that returns a promise',
      );
    }
    survivors = new Set(tensorsIn(result, isTensor));
    return result;
  } finally {
    stack.pop();
    for (const tensor of owned) {
      if (survivors.has(tensor)) enroll(tensor);
      else tensor.dispose();
    }
  }
}
