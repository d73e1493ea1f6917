// Values of schedules over a range, for pictures.

import { shortNumber } from '../chart/ticks.js';
import type { JsonValue } from '../io/json.js';
import { positive, refuse } from './kind.js';
import { isSchedule, type Schedule } from './schedule.js';

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [t: number, value: number])[];
}

/** Steps of a picture of schedules that have no end. */
const ENDLESS = 1000;

/** A schedule in one line: `cosine(from 0.1, min 0, steps 1000)`, `join(warmup(...), cosine(...))`. */
export function describe({ kind, params }: { readonly kind: string; readonly params: object }): string {
  const told = Object.entries<JsonValue>({ ...params }).map(([name, value]) => `${name} ${valueText(value)}`);
  return `${kind}(${told.join(', ').replaceAll(/\b(parts|inner) /g, '')})`;
}

function valueText(value: JsonValue): string {
  if (typeof value === 'number') return shortNumber(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) {
    const nested = value.some((item) => typeof item === 'object');
    const items = value.map((item: JsonValue) => valueText(item)).join(', ');
    return nested ? items : `[${items}]`;
  }
  const fields = new Map(Object.entries<JsonValue>({ ...value }));
  const params = fields.get('params');
  return describe({ kind: String(fields.get('kind')), params: typeof params === 'object' ? { ...params } : {} });
}

/** One schedule, or several by name. @throws E_ARGUMENT */
export function named(who: string, schedules: Schedule | Readonly<Record<string, Schedule>>): [string, Schedule][] {
  const entries: [string, Schedule][] = isSchedule(schedules)
    ? [[describe(schedules), schedules]]
    : Object.entries(schedules);
  if (entries.length === 0 || !entries.every(([, schedule]) => isSchedule(schedule)))
    refuse(who, 'a schedule, or schedules by name', String(schedules));
  return entries;
}

/** How many steps a picture shows: those asked for, or the longest schedule's. @throws E_ARGUMENT */
export function shownSteps(who: string, schedules: readonly Schedule[], steps: number | undefined): number {
  const asked = positive('').read(steps, null);
  if (steps !== undefined && asked === undefined) refuse(who, 'steps to be positive', steps);
  const lengths = schedules.map(({ length }) => length).filter((length) => Number.isFinite(length) && length > 0);
  return asked ?? (lengths.length > 0 ? Math.max(...lengths) : ENDLESS);
}

/** Values at about `count` steps, whole ones where there are enough. */
export function sample(name: string, schedule: Schedule, steps: number, count: number): Curve {
  const intervals = Math.max(1, Math.min(Math.ceil(steps), count));
  const points = Array.from({ length: intervals + 1 }, (_, i) => {
    const t = i === intervals ? steps : Math.round((i * steps) / intervals);
    return [t, schedule.at(t)] as const;
  });
  return { name, points };
}

/** The values an axis covers: from 0 on unless that would press the curves together. */
export function valueRange(curves: readonly Curve[]): readonly [number, number] {
  const all = curves.flatMap(({ points }) => points.map(([, value]) => value));
  const max = Math.max(...all);
  const min = Math.min(...all);
  const low = min > 0 && min < 0.6 * max ? 0 : min;
  if (max > low) return [low, max];
  return max === 0 ? [0, 1] : [Math.min(0, 2 * max), Math.max(0, 2 * max)];
}
