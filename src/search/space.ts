// What a search varies, declared as plain data: it goes into the log, and a resumed search is held to it.
import { AnnealError } from '../errors.js';
import type { JsonValue } from '../io/json.js';
import { Draws } from '../random/draws.js';

/** A value of a categorical parameter. */
export type Choice = string | number | boolean | null;

/** Named as the options of Optuna's `suggest_float`. */
export interface FloatOptions {
  /** Draws the logarithm uniformly, and spaces a grid so; low must be positive. Default false. */
  readonly log?: boolean;
  /** Only low, low + step, ... up to high; not together with log. */
  readonly step?: number;
}

/** As Optuna's `suggest_int`. */
export interface IntOptions {
  /** Draws the logarithm uniformly from low - 1/2 to high + 1/2 and rounds; low must be at least 1. Default false. */
  readonly log?: boolean;
  /** Default 1; not together with log. */
  readonly step?: number;
}

export interface NumberParameter {
  readonly kind: 'float' | 'int';
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
  /** null: any number between. */
  readonly step: number | null;
}

export interface CategoricalParameter<T extends Choice = Choice> {
  readonly kind: 'categorical';
  readonly choices: readonly T[];
}

/** Values that other parameters, declared before, must have. */
export type Condition = Readonly<Record<string, Choice | readonly Choice[]>>;

export type PlainParameter = NumberParameter | CategoricalParameter;

/** A parameter that is there under a condition only. */
export interface ConditionalParameter<P extends PlainParameter = PlainParameter> {
  readonly kind: 'when';
  readonly condition: Condition;
  readonly parameter: P;
}

export type Parameter = PlainParameter | ConditionalParameter;

/** Parameters by name. Their order is that of a grid, the last one changing fastest. */
export type Space = Readonly<Record<string, Parameter>>;

/** The value of a parameter; undefined where its condition does not hold. */
export type ValueOf<P> =
  P extends CategoricalParameter<infer T>
    ? T
    : P extends ConditionalParameter<infer Q>
      ? ValueOf<Q> | undefined
      : P extends NumberParameter
        ? number
        : never;

export type Values<S extends Space> = { readonly [N in keyof S]: ValueOf<S[N]> };

function refuse(op: string, expected: string, received: unknown): never {
  throw new AnnealError('E_ARGUMENT', `${op}: expected ${expected}, received ${String(received)}`);
}

/** A number in [low, high]. @throws E_ARGUMENT */
export function float(low: number, high: number, { log = false, step }: FloatOptions = {}): NumberParameter {
  if (!Number.isFinite(low) || !Number.isFinite(high) || low > high)
    refuse('float', 'finite bounds with low <= high', `${low} and ${high}`);
  if (log && !(low > 0)) refuse('float', 'a positive low with log', low);
  if (step !== undefined && (log || !(step > 0 && Number.isFinite(step))))
    refuse('float', 'a positive step without log', log ? `${step} with log` : step);
  return { kind: 'float', low, high, log, step: step ?? null };
}

/** A whole number in [low, high]. @throws E_ARGUMENT */
export function int(low: number, high: number, { log = false, step = 1 }: IntOptions = {}): NumberParameter {
  if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || low > high || high - low >= 2 ** 32)
    refuse('int', 'whole bounds with low <= high, less than 2^32 apart', `${low} and ${high}`);
  if (log && low < 1) refuse('int', 'a low of at least 1 with log', low);
  if (!Number.isSafeInteger(step) || step < 1 || (log && step !== 1))
    refuse('int', 'a whole step of at least 1, and 1 with log', step);
  return { kind: 'int', low, high, log, step };
}

/** One of several values, without an order. @throws E_ARGUMENT unless there are some, all different */
export function categorical<const T extends Choice>(choices: readonly T[]): CategoricalParameter<T> {
  if (choices.length === 0 || new Set(choices).size !== choices.length)
    refuse('categorical', 'one or more different choices', `[${choices.join(', ')}]`);
  return { kind: 'categorical', choices };
}

/**
 * A parameter that is there only where others, declared before it, have certain values; elsewhere it is left out.
 *
 *   { optimizer: search.categorical(['sgd', 'adamw']),
 *     momentum: search.when({ optimizer: 'sgd' }, search.float(0, 0.99)) }
 */
export function when<P extends PlainParameter>(condition: Condition, parameter: P): ConditionalParameter<P> {
  return { kind: 'when', condition, parameter };
}

/** @throws E_ARGUMENT when it is empty, or a condition names what is not declared before */
export function checkSpace(op: string, space: Space): void {
  const names = Object.keys(space);
  if (names.length === 0) refuse(op, 'a space of at least one parameter', 'none');
  names.forEach((name, i) => {
    const parameter = space[name];
    if (parameter?.kind !== 'when') return;
    const unknown = Object.keys(parameter.condition).find((other) => !names.slice(0, i).includes(other));
    if (unknown !== undefined) refuse(op, `the condition of ${name} to name parameters declared before it`, unknown);
  });
}

/** Values as they are chosen one after the other. */
export type Chosen = Record<string, Choice>;

/** The parameter itself, or null where the values so far leave it out. */
export function active(parameter: Parameter, chosen: Readonly<Chosen>): PlainParameter | null {
  if (parameter.kind !== 'when') return parameter;
  const holds = Object.entries(parameter.condition).every(([name, wanted]) => {
    if (!Object.hasOwn(chosen, name)) return false;
    const value = chosen[name] ?? null;
    return isList(wanted) ? wanted.includes(value) : wanted === value;
  });
  return holds ? parameter.parameter : null;
}

const isList = (value: Choice | readonly Choice[]): value is readonly Choice[] => Array.isArray(value);

const clamp = (value: number, { low, high }: NumberParameter): number => Math.min(high, Math.max(low, value));

/** Steps of a parameter that has some, the first one included. */
const stepsOf = ({ low, high }: NumberParameter, step: number): number => Math.floor((high - low) / step + 1e-9) + 1;

/** low + i step, rounded where a double is off in its last places. */
const atStep = ({ low }: NumberParameter, step: number, i: number): number => Number((low + i * step).toPrecision(15));

/** A value drawn from a stream of its own. */
function draw(parameter: PlainParameter, draws: Draws): Choice {
  if (parameter.kind === 'categorical') return parameter.choices[draws.below(parameter.choices.length)] ?? null;
  const { kind, low, high, log, step } = parameter;
  if (log) {
    const half = kind === 'int' ? 0.5 : 0;
    const [from, to] = [Math.log(low - half), Math.log(high + half)];
    const value = Math.exp(from + draws.unit() * (to - from));
    return clamp(kind === 'int' ? Math.round(value) : value, parameter);
  }
  if (step !== null) return atStep(parameter, step, draws.below(stepsOf(parameter, step)));
  return clamp(low + draws.unit() * (high - low), parameter);
}

/** The values of trial k: each parameter has a stream of (seed, its name, k), so that adding one changes no other. */
export function drawValues(space: Space, seed: number, k: number): Chosen {
  const chosen: Chosen = {};
  for (const [name, parameter] of Object.entries(space)) {
    const plain = active(parameter, chosen);
    if (plain !== null) chosen[name] = draw(plain, new Draws(seed, `search:${name}`, k, 0));
  }
  return chosen;
}

/** The values of a parameter on a grid: `points` of them, evenly spaced, or all it has where those are not more. */
export function gridValues(name: string, parameter: PlainParameter, points: number | undefined): readonly Choice[] {
  if (parameter.kind === 'categorical') return parameter.choices;
  const { kind, low, high, log, step } = parameter;
  const all = step === null ? Number.POSITIVE_INFINITY : stepsOf(parameter, step);
  const count = Math.min(points ?? all, all);
  if (count === Number.POSITIVE_INFINITY)
    refuse('grid', `points for ${name}, a float without a step`, 'none: points: 5, or points: { name: 5 }');
  if (step !== null && !log && count === all)
    return Array.from({ length: count }, (_, i) => atStep(parameter, step, i));
  const values = Array.from({ length: count }, (_, i) => {
    const share = count === 1 ? 0.5 : i / (count - 1);
    const value = log ? Math.exp(Math.log(low) + share * (Math.log(high) - Math.log(low))) : low + share * (high - low);
    if (kind === 'int' && log) return clamp(Math.round(value), parameter);
    // Rounded where a double is off in its last places: 0.1, not 0.10000000000000002.
    if (step === null) return clamp(Number(value.toPrecision(12)), parameter);
    return atStep(parameter, step, Math.round((value - low) / step));
  });
  return [...new Set(values)];
}

/** A space as JSON. */
export function spaceJson(space: Space): JsonValue {
  const plain = (parameter: PlainParameter): JsonValue => ({ ...parameter });
  return Object.fromEntries(
    Object.entries(space).map(([name, each]) => [
      name,
      each.kind === 'when'
        ? { ...each, condition: { ...each.condition }, parameter: plain(each.parameter) }
        : plain(each),
    ]),
  );
}
