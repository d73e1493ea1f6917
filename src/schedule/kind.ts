// What a kind of schedule is declared as: its options with their checks, and its formula. From that one declaration come
// the function that makes it, `fromJSON`, and the options of `anneal schedule`.
import { AnnealError } from '../errors.js';
import type { JsonValue } from '../io/json.js';
import { isSchedule, makeSchedule, type Schedule } from './schedule.js';

/** Makes the schedules within another from JSON. */
export type Revive = (json: unknown) => Schedule;

/** One option of a kind. */
export interface Field<T> {
  /** For people and for the command line; an array has the words that may be chosen. */
  readonly type: 'number' | 'numbers' | 'boolean' | 'schedule' | 'schedules' | readonly string[];
  readonly about: string;
  readonly required: boolean;
  /** In place of an option that is not given. */
  readonly fallback: T | undefined;
  /** `expected` completes "expected NAME to be". */
  readonly expected: string;
  /** The value, or undefined when it is none of this field. */
  read(value: unknown, revive: Revive | null): T | undefined;
}

type Value = number | readonly number[] | boolean | string | Schedule | readonly Schedule[];

export type Fields = Readonly<Record<string, Field<Value | undefined>>>;

export type Values<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

export interface Formula {
  readonly length: number;
  /** Only asked for t in [0, length]. */
  at(t: number): number;
}

export interface Kind {
  readonly name: string;
  /** One line. */
  readonly about: string;
  readonly fields: Fields;
  /** `revive` makes parts that are JSON; without it they have to be schedules. @throws E_ARGUMENT */
  make(options: object, revive?: Revive): Schedule;
}

function numberField(expected: string, is: (value: number) => boolean) {
  return (about: string, fallback?: number): Field<number> => ({
    type: 'number',
    about,
    required: fallback === undefined,
    fallback,
    expected,
    read: (value) => (typeof value === 'number' && Number.isFinite(value) && is(value) ? value : undefined),
  });
}

export const finite = numberField('a finite number', () => true);
export const positive = numberField('positive', (value) => value > 0);
export const nonNegative = numberField('a number of at least 0', (value) => value >= 0);
export const atLeastOne = numberField('a number of at least 1', (value) => value >= 1);
export const fraction = numberField('between 0 and 1', (value) => value > 0 && value < 1);

export function flag(about: string): Field<boolean> {
  const read = (value: unknown) => (typeof value === 'boolean' ? value : undefined);
  return { type: 'boolean', about, required: false, fallback: false, expected: 'true or false', read };
}

export function choice<const W extends readonly string[]>(
  about: string,
  words: W,
  fallback: W[number],
): Field<W[number]> {
  const expected = `one of ${words.map((word) => `'${word}'`).join(', ')}`;
  const read = (value: unknown) => words.find((word) => word === value);
  return { type: words, about, required: false, fallback, expected, read };
}

/** Numbers in ascending order, each of them positive; equal ones only where `repeats`. */
export function ascending(about: string, { repeats = false } = {}): Field<readonly number[]> {
  const read = (value: unknown): readonly number[] | undefined => {
    if (!Array.isArray(value)) return undefined;
    const numbers = value.filter((item): item is number => typeof item === 'number' && Number.isFinite(item));
    const inOrder = numbers.every((item, i) => {
      const before = numbers[i - 1] ?? 0;
      return item > before || (repeats && i > 0 && item === before);
    });
    return numbers.length === value.length && inOrder ? numbers : undefined;
  };
  return { type: 'numbers', about, required: true, fallback: undefined, expected: 'ascending positive numbers', read };
}

const scheduleOf = (value: unknown, revive: Revive | null): Schedule | undefined =>
  isSchedule(value) ? value : revive?.(value);

export function inner(about: string): Field<Schedule> {
  return { type: 'schedule', about, required: true, fallback: undefined, expected: 'a schedule', read: scheduleOf };
}

export function parts(about: string): Field<readonly Schedule[]> {
  const read = (value: unknown, revive: Revive | null): readonly Schedule[] | undefined => {
    if (!Array.isArray(value) || value.length === 0) return undefined;
    const made = value.map((part: unknown) => scheduleOf(part, revive));
    return made.every((part) => part !== undefined) ? made : undefined;
  };
  const expected = 'an array of one or more schedules';
  return { type: 'schedules', about, required: true, fallback: undefined, expected, read };
}

export function optional<T>(field: Field<T>): Field<T | undefined> {
  return { ...field, required: false };
}

function jsonOf(value: Value): JsonValue {
  if (typeof value !== 'object') return value;
  if (isSchedule(value)) return value.toJSON();
  return value.map((item) => (typeof item === 'number' ? item : item.toJSON()));
}

function shown(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(String).join(', ')}]` : String(value);
}

/** @throws E_ARGUMENT */
export function refuse(kind: string, expected: string, received: unknown): never {
  throw new AnnealError('E_ARGUMENT', `${kind}: expected ${expected}, received ${shown(received)}`);
}

function readAll<F extends Fields>(kind: string, fields: F, options: object, revive: Revive | null) {
  if (typeof options !== 'object' || options === null) refuse(kind, 'options in an object', options);
  const given = new Map<string, unknown>(Object.entries(options));
  const values: Record<string, Value | undefined> = {};
  const params: Record<string, JsonValue> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = given.get(name);
    given.delete(name);
    const read = value === undefined && !field.required ? field.fallback : field.read(value, revive);
    if (read !== undefined) params[name] = jsonOf(read);
    else if (value !== undefined || field.required) refuse(kind, `${name} to be ${field.expected}`, value);
    values[name] = read;
  }
  const [unknown] = given.keys();
  if (unknown !== undefined) refuse(kind, `no options but ${Object.keys(fields).join(', ')}`, `'${unknown}'`);
  return { values: values as Values<F>, params };
}

/** A kind of schedule from its declaration. */
export function defineKind<F extends Fields>(
  name: string,
  about: string,
  fields: F,
  formula: (values: Values<F>) => Formula,
): Kind {
  return {
    name,
    about,
    fields,
    make(options, revive) {
      const { values, params } = readAll(name, fields, options, revive ?? null);
      const { length, at } = formula(values);
      return makeSchedule(name, params, length, at);
    },
  };
}
