// capture(fn): runs a function of tensors once, and from then on replays what it enqueued by one call.
import { recording } from '../backend/recorder.js';
import { Scalar } from '../backend/scalar.js';
import { AnnealError } from '../errors.js';
import { scope } from '../tensor/scope.js';
import type { Storage } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import { explain } from './explain.js';
import { Plan, type PlanMemory } from './plan.js';
import { Recording } from './recording.js';

/** A tensor, or tensors within arrays and plain objects; other values are the same in every replay. */
export type Tree = unknown;

export type Inputs = Readonly<Record<string, Tensor>>;
export type ScalarValues = Readonly<Record<string, number>>;
export type Scalars<S extends ScalarValues> = { readonly [K in keyof S]: Scalar };

export interface CaptureOptions {
  /** Plans that are kept, one for each set of input shapes; the one not used for longest goes first. Default 8. */
  readonly plans?: number;
}

export interface PlanInfo extends PlanMemory {
  /** Name, dtype and shape of each input. */
  readonly inputs: string;
  readonly ops: number;
}

/** A captured function. Call it as the function itself; dispose it when done. */
export interface Captured<I extends Inputs, S extends ScalarValues, R> extends Disposable {
  (inputs: I, scalars?: S): R;
  readonly plans: readonly PlanInfo[];
  /** The ops, buffers, bytes and flops of each plan, for people. */
  explain(): string;
  dispose(): void;
}

interface Entry {
  readonly plan: Plan;
  /** The function's result as it was recorded. */
  readonly result: Tree;
}

const DEFAULT_PLANS = 8;

/** Rebuilds a result with each tensor replaced. */
function mapTensors(value: Tree, replace: (tensor: Tensor) => Tensor): Tree {
  if (value instanceof Tensor) return replace(value);
  if (Array.isArray(value)) return value.map((item) => mapTensors(item, replace));
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTensors(item, replace)]));
  return value;
}

/** Where a result lies, without keeping its memory. */
class Place {
  constructor(
    readonly storage: Storage,
    readonly tensor: Pick<Tensor, 'offset' | 'shape' | 'dtype'>,
  ) {}
}

const keyOf = (names: readonly string[], tensors: readonly Tensor[]): string =>
  names.map((name, i) => `${name}: ${tensors[i]?.dtype} [${tensors[i]?.shape.join(',')}]`).join(', ');
