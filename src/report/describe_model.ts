import type { JsonValue } from '../io/json.js';
import type { Module } from '../nn/module.js';

/** A model's kind, its size, and the shapes of its parameters and buffers by name. */
export function describeModel(model: Module): { readonly [key: string]: JsonValue } {
  const shapes = (tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>) =>
    Object.fromEntries([...tensors].map(([name, { shape }]) => [name, [...shape]]));
  const buffers = model.namedBuffers();
  return {
    kind: model.kind,
    parameterCount: model.parameterCount,
    parameters: shapes(model.namedParameters()),
    ...(buffers.size > 0 ? { buffers: shapes(buffers) } : {}),
  };
}
