// capture(fn): runs a function of tensors once, and from then on replays what it enqueued by one call.
import { gradEnabled } from '../autograd/tape.js';
import type { Backend } from '../backend/backend.js';
import { backendOf, defaultDevice } from '../backend/device.js';
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import { type Num, Scalar } from '../scalar.js';
import { recording } from '../tensor/recorder.js';
import { scope } from '../tensor/scope.js';
import { Storage } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import { difference } from './difference.js';
import { explainPlan } from './explain.js';
import { alike, describe, type InputLook, lookOf } from './inputs.js';
import { optimize } from './passes/index.js';
import { Plan, type PlanMemory, Resources } from './plan.js';
import { type Memory, Recording, Scratch } from './recording.js';
import { detached, isPlace, isTensor, mapLeaves, placeOf } from './result.js';

/** Tensors by name. */
export type Inputs = Readonly<Record<string, Tensor>>;
/** Numbers by name, as a captured function sees them. */
export type Scalars = Readonly<Record<string, Scalar>>;
/** What a call gives for them. */
export type ScalarValues<S extends Scalars> = { readonly [K in keyof S]: Num };

export interface CaptureOptions {
  /**
   * Plans that are kept: one for each set of shapes and each state of the host that the function has met. The one not used
   * for longest goes first. Default 8.
   */
  readonly plans?: number;
  /**
   * Runs the function as it is a second time for each plan, and compares: one that does something else each time, such as
   * drawing from Math.random, is refused where it would be frozen. Default false.
   */
  readonly confirm?: boolean;
  /** Rewrites what was recorded into fewer or cheaper ops with the same results (src/capture/passes/). Default true. */
  readonly fuse?: boolean;
  /**
   * Told, once, why the function cannot be captured; it then runs as it is, in this call and from now on. Default: the call
   * throws.
   */
  readonly fallback?: (reason: AnnealError) => void;
}

export interface PlanInfo extends PlanMemory {
  /** Name, dtype and shape of each input, in the order given. */
  readonly inputs: string;
  readonly ops: number;
}

/** A captured function: call it as the function itself, dispose it when done. */
export interface Captured<I extends Inputs, S extends Scalars, R> extends Disposable {
  (inputs: I, ...scalars: keyof S extends never ? [] : [ScalarValues<S>]): R;
  /** The one used last first. */
  readonly plans: readonly PlanInfo[];
  /** Ops, memory, bytes and flops of each plan, for people. */
  explain(): string;
  dispose(): void;
}

interface Entry {
  readonly plan: Plan;
  readonly names: readonly string[];
  readonly looks: readonly InputLook[];
  readonly gradEnabled: boolean;
  /** The function's result, with a Place for each tensor. */
  readonly result: unknown;
  readonly recording: Recording;
  confirmed: boolean;
  /** Recordings before this one that differed from it. */
  readonly failures: number;
}

const DEFAULT_PLANS = 8;
/** Recordings that may differ from the one before: the first call of a function often makes what later ones use. */
const CHANCES = 3;

// The last net: a captured function that nobody disposed.
const finalizers = new FinalizationRegistry<{ resources: Resources | null }>(({ resources }) =>
  resources?.release(true),
);

/** The plans of one captured function. */
class Plans {
  readonly #fn: (inputs: Inputs, scalars: Scalars) => unknown;
  readonly #options: CaptureOptions;
  #eager = false;
  /** The one used last first. */
  readonly entries: Entry[] = [];
  /** What the finalizer has: nothing that leads back to the captured function. */
  readonly held: { resources: Resources | null } = { resources: null };
  #scalars: Scalars | null = null;
  #disposed = false;

  constructor(fn: (inputs: Inputs, scalars: Scalars) => unknown, options: CaptureOptions) {
    this.#fn = fn;
    this.#options = options;
  }

  call(inputs: Inputs, scalars: ScalarValues<Scalars>): unknown {
    if (this.#disposed)
      throw new AnnealError('E_DISPOSED', 'capture: expected a live captured function, received one that was disposed');
    checkNamed('inputs', inputs);
    checkNamed('scalars', scalars);
    // Within another capture it is a part of that one.
    if (recording.by !== null) return this.#fn(inputs, inner(scalars));
    if (this.#eager) return this.#run(inputs, this.#bind(scalars));
    const names = Object.keys(inputs);
    const tensors = names.map((name) => tensorAt(inputs, name));
    const bound = this.#bind(scalars);
    const at = this.entries.findIndex(
      (entry) =>
        entry.gradEnabled === gradEnabled() &&
        entry.names.length === names.length &&
        entry.names.every((name, i) => name === names[i]) &&
        alike(entry.looks, tensors) &&
        entry.plan.valid,
    );
    const entry = this.entries[at];
    if (entry === undefined) return this.#record(inputs, names, tensors, bound);
    if (at > 0) this.entries.unshift(...this.entries.splice(at, 1));
    return entry.confirmed ? this.#replay(entry, tensors) : this.#record(inputs, names, tensors, bound, entry);
  }

  #bind(values: ScalarValues<Scalars>): Scalars {
    const names = Object.keys(values);
    this.#scalars ??= Object.fromEntries(names.map((name) => [name, new Scalar(name, 0)]));
    const scalars = this.#scalars;
    const known = Object.keys(scalars);
    if (known.length !== names.length || names.some((name) => !Object.hasOwn(scalars, name))) {
      throw new AnnealError(
        'E_ARGUMENT',
        `capture: expected the scalars of the first call [${known.join(', ')}], received [${names.join(', ')}]`,
      );
    }
    for (const name of names) {
      const value = Number(values[name]);
      const scalar = scalars[name];
      if (Number.isNaN(value) || scalar === undefined)
        throw new AnnealError('E_ARGUMENT', `capture: expected ${name} to be a number, received ${values[name]}`);
      scalar.value = value;
    }
    return scalars;
  }

  /** The function as it is. */
  #run(inputs: Inputs, scalars: Scalars): unknown {
    return scope(() => detached(this.#fn(inputs, scalars)));
  }

  /** Runs the function, recording it; `before` is an entry for the same that is to be confirmed. */
  #record(
    inputs: Inputs,
    names: readonly string[],
    tensors: readonly Tensor[],
    scalars: Scalars,
    before?: Entry,
  ): unknown {
    const { confirm = false, fuse = true, plans = DEFAULT_PLANS, fallback } = this.#options;
    const looks = tensors.map(lookOf);
    const recorder = new Recording(tensors, { lenient: fallback !== undefined, values: confirm });
    let result: unknown;
    recording.by = recorder;
    try {
      result = this.#run(inputs, scalars);
    } catch (error) {
      recorder.release();
      throw error;
    } finally {
      recording.by = null;
    }
    if (this.#disposed) {
      // By the function itself: nobody would ever let go of a plan.
      recorder.release();
      return result;
    }
    try {
      if (recorder.refused !== null) throw recorder.refused;
      const change = before === undefined ? null : difference(before.recording, recorder);
      if (before !== undefined && change === null) {
        before.confirmed = true;
        before.recording.forget();
        recorder.release();
        return result;
      }
      const failures = before === undefined ? 0 : before.failures + 1;
      if (failures >= CHANCES) {
        throw new AnnealError(
          'E_ARGUMENT',
          `capture: expected a function that enqueues the same ops each time, received one where ${change}`,
        );
      }
      if (before !== undefined) this.#drop(before);
      const results = new Set<Storage>();
      const template = mapLeaves(result, isTensor, (tensor) => {
        results.add(tensor.storage);
        return placeOf(tensor, looks);
      });
      const resources = this.#resourcesOn(deviceOf(recorder, tensors));
      const isTemporary = (memory: Memory): boolean =>
        memory instanceof Scratch ||
        (recorder.made(memory) && !memory.live && !results.has(memory) && !recorder.constants.has(memory));
      const ops = fuse ? optimize(recorder.ops, isTemporary) : recorder.ops;
      const plan = new Plan({ recording: recorder, ops, isTemporary, inputs: looks, results, resources });
      this.entries.unshift({
        plan,
        names,
        looks,
        gradEnabled: gradEnabled(),
        result: template,
        recording: recorder,
        confirmed: !confirm,
        failures,
      });
      for (const last of this.entries.slice(plans)) this.#drop(last);
    } catch (error) {
      recorder.release();
      if (fallback === undefined || !(error instanceof AnnealError)) {
        mapLeaves(result, isTensor, (tensor) => tensor.dispose());
        throw error;
      }
      this.#eager = true;
      this.#release();
      fallback(error);
    }
    return result;
  }

  #drop(entry: Entry): void {
    this.entries.splice(this.entries.indexOf(entry), 1);
    entry.plan[Symbol.dispose]();
  }

  #resourcesOn(backend: Backend): Resources {
    if (this.held.resources?.backend !== backend) {
      this.#release();
      this.held.resources = new Resources(backend);
    }
    return this.held.resources as Resources;
  }

  #replay({ plan, result }: Entry, inputs: readonly Tensor[]): unknown {
    const fresh = plan.run(inputs);
    const replaced = mapLeaves(result, isPlace, ({ storage, input, offset, shape, dtype }) => {
      const from = inputs[input];
      if (from !== undefined) return new Tensor(from.storage.retain(), from.offset + offset, shape, dtype);
      return new Tensor((fresh.get(storage) ?? storage).retain(), offset, shape, dtype);
    });
    for (const storage of fresh.values()) storage.release();
    return replaced;
  }

  explain(): string {
    return this.entries.map(({ plan, looks, names }) => explainPlan(plan, describe(names, looks))).join('\n\n');
  }

  get infos(): PlanInfo[] {
    return this.entries.map(({ plan, looks, names }) => ({
      ...plan.memory,
      inputs: describe(names, looks),
      ops: plan.ops.length,
    }));
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#release();
  }

  #release(): void {
    for (const { plan } of this.entries.splice(0)) plan[Symbol.dispose]();
    this.held.resources?.release();
    this.held.resources = null;
  }
}

/** @throws E_ARGUMENT unless it is an object */
function checkNamed(what: string, values: unknown): void {
  if (typeof values !== 'object' || values === null)
    throw new AnnealError('E_ARGUMENT', `capture: expected ${what} by name in an object, received ${String(values)}`);
}

/** @throws E_ARGUMENT unless it is a tensor */
function tensorAt(inputs: Inputs, name: string): Tensor {
  const input: unknown = inputs[name];
  if (input instanceof Tensor) return input;
  throw new AnnealError('E_ARGUMENT', `capture: expected input ${name} to be a tensor, received ${typeof input}`);
}

/** @throws E_DEVICE unless it is one */
function deviceOf({ ops }: Recording, inputs: readonly Tensor[]): Backend {
  const used = ops.flatMap(({ outputs }) =>
    outputs.flatMap((operand) => (operand?.storage instanceof Storage ? operand.storage.backend : [])),
  );
  const backend = used[0] ?? inputs[0]?.storage.backend ?? backendOf(defaultDevice());
  const other = used.find((each) => each !== backend);
  if (other !== undefined) {
    throw new AnnealError(
      'E_DEVICE',
      `capture: expected a function on one device, received one that uses ${backend.name} and ${other.name}`,
    );
  }
  return backend;
}

/** Scalars for a function that runs within another capture: the outer ones are as alive as they were. */
function inner(values: Readonly<Record<string, Num>>): Scalars {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, value instanceof Scalar ? value : new Scalar(name, value)]),
  );
}

/**
 * A function of named tensors and named numbers that runs `fn` once for each set of shapes, recording the ops it enqueues,
 * and from then on replays them by one call: the same results, bit for bit, without what JavaScript costs for each op.
 *
 *   const step = capture(({ x, y }, { t }) => {
 *     const loss = ops.softmaxCrossEntropy(model.forward(x, { training: true, seed: 0, step: t }), y);
 *     optimizer.zeroGrad();
 *     autograd.backward(loss);
 *     optimizer.step(t);
 *     return { loss };
 *   });
 *   const { loss } = step({ x, y }, { t: 0 });
 *
 * In a replay the inputs are new; a number from outside that `fn` sees, also as a random counter, is that of the recording
 * unless it is one of the scalars. The optimizer's schedules and counts go on as they would. Tensors in the result (within
 * arrays and plain objects) are new each time and off the tape; everything else in it is that of the recording. Gradients
 * go to an optimizer's arena or come from `grad()`. `fn` may not read values, and must enqueue the same ops each time: what
 * decides on the host what it enqueues is of the recording, except for frozen parameters, gradients that are there or not,
 * averaged weights that are swapped in and `noGrad`, which are watched and lead to another plan.
 *
 * @throws E_ARGUMENT when `fn` reads a value, writes host values to a tensor from outside, or is asynchronous
 */
export function capture<I extends Inputs, R, S extends Scalars = Record<never, never>>(
  fn: (inputs: I, scalars: S) => R,
  options?: CaptureOptions,
): Captured<I, S, R>;
// Which names there are is for the types alone: inside, inputs and scalars are found by whatever name they have.
export function capture(
  fn: (inputs: Inputs, scalars: Scalars) => unknown,
  options: CaptureOptions = {},
): Captured<Inputs, Scalars, unknown> {
  if (typeof fn !== 'function')
    throw new AnnealError('E_ARGUMENT', `capture: expected a function, received ${String(fn)}`);
  const { plans: limit = DEFAULT_PLANS } = options;
  wholeNumber('capture', 'plans', limit);
  const plans = new Plans(fn, options);
  const captured = Object.assign(
    (inputs: Inputs, scalars: ScalarValues<Scalars> = {}): unknown => plans.call(inputs, scalars),
    {
      plans: plans.infos,
      explain: () => plans.explain(),
      dispose: () => plans.dispose(),
      [Symbol.dispose]: () => plans.dispose(),
    },
  );
  Object.defineProperty(captured, 'plans', { get: () => plans.infos });
  finalizers.register(captured, plans.held);
  return captured;
}
