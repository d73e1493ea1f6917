/**
 * What the log of a run tells, one event a line. Metrics have the names that the user measures by: loss, accuracy, val_loss,
 * ema_val_accuracy. Times are milliseconds since 1970, memory is bytes, steps and epochs are counts of those done.
 */
import { AnnealError, reasonOf } from '../errors.js';
import { parseJson } from '../io/json.js';
import type { ActivationStatistics } from '../train/index.js';

/** Values by name. */
export type Values = Readonly<Record<string, number>>;

/** A process begins the run, or takes it up again after `step` steps. */
export interface StartRecord {
  readonly step: number;
  readonly time: number;
}

export interface StepRecord {
  readonly step: number;
  readonly time: number;
  /** Of this batch, before the update. */
  readonly metrics: Values;
  readonly lr: number;
  /** The rates of parameter groups that have one of their own, by the group's name. */
  readonly lrByGroup?: Values;
  readonly momentum?: number;
  /** The global norm of the gradients, before clipping. */
  readonly gradNorm?: number;
  /** |update| / |weights|, by parameter. */
  readonly updateRatios?: Values;
  /** Of what layers give, by layer. */
  readonly activations?: Readonly<Record<string, ActivationStatistics>>;
  /** Over some steps up to this one. */
  readonly samplesPerSecond?: number;
  readonly memory?: MemoryRecord;
}

/** Bytes. */
export interface MemoryRecord {
  /** In live buffers of the device. */
  readonly live: number;
  /** Kept by the device for reuse. */
  readonly pooled: number;
  /** The most that the device ever took from the system. */
  readonly peak: number;
  /** Resident memory of the process. */
  readonly rss: number;
}

export interface EpochRecord {
  readonly epoch: number;
  readonly step: number;
  readonly time: number;
  /** Means over the training batches by their plain names, and what validation gave: val_..., ema_val_.... */
  readonly metrics: Values;
  readonly lr: number;
  readonly seconds: number;
  readonly samplesPerSecond: number;
}

/** What the user measured besides, whenever that was. */
export interface MetricsRecord {
  readonly step: number;
  readonly metrics: Values;
}

export interface WarningRecord {
  readonly step: number;
  readonly message: string;
}

export interface StopRecord {
  readonly step: number;
  readonly time: number;
  /** completed, aborted, earlyStopping, ... */
  readonly reason: string;
  /** What a run that failed did so with. */
  readonly error?: string;
}

/** How a run ended, in words. */
export function endOf({ reason, error }: StopRecord): string {
  return error === undefined ? reason : `${reason}, ${error}`;
}

export type MetricsEvent =
  | ({ readonly type: 'start' } & StartRecord)
  | ({ readonly type: 'step' } & StepRecord)
  | ({ readonly type: 'epoch' } & EpochRecord)
  | ({ readonly type: 'metrics' } & MetricsRecord)
  | ({ readonly type: 'warning' } & WarningRecord)
  | ({ readonly type: 'stop' } & StopRecord);

/** Whether a field is what it must be; undefined stands for one that is not there. */
type Check = (field: unknown) => boolean;

const number: Check = (field) => typeof field === 'number';
const string: Check = (field) => typeof field === 'string';
const byName =
  (check: Check): Check =>
  (field) =>
    typeof field === 'object' && field !== null && !Array.isArray(field) && Object.values(field).every(check);
const values = byName(number);
const optional =
  (check: Check): Check =>
  (field) =>
    field === undefined || check(field);
const valuesNamed =
  (...names: readonly string[]): Check =>
  (field) =>
    values(field) && names.every((name) => Object.hasOwn(Object(field), name));

type Fields<E> = { readonly [K in Exclude<keyof E, 'type'>]-?: Check };
type ByType = { readonly [T in MetricsEvent['type']]: Fields<Extract<MetricsEvent, { type: T }>> };

const fieldsOf: ByType = {
  start: { step: number, time: number },
  step: {
    step: number,
    time: number,
    metrics: values,
    lr: number,
    lrByGroup: optional(values),
    momentum: optional(number),
    gradNorm: optional(number),
    updateRatios: optional(values),
    activations: optional(byName(valuesNamed('mean', 'standardDeviation', 'zeros', 'dead'))),
    samplesPerSecond: optional(number),
    memory: optional(valuesNamed('live', 'pooled', 'peak', 'rss')),
  },
  epoch: {
    epoch: number,
    step: number,
    time: number,
    metrics: values,
    lr: number,
    seconds: number,
    samplesPerSecond: number,
  },
  metrics: { step: number, metrics: values },
  warning: { step: number, message: string },
  stop: { step: number, time: number, reason: string, error: optional(string) },
};

const checks = new Map<string, readonly (readonly [string, Check])[]>(
  Object.entries(fieldsOf).map(([type, fields]) => [type, Object.entries(fields)]),
);

/** The event that a line holds. @throws AnnealError E_FORMAT, naming the place `where` it stands. */
export function parseEvent(text: string, where: string): MetricsEvent {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new AnnealError('E_FORMAT', `${where}: expected an event in JSON (${reasonOf(cause)})`, { cause });
  }
  if (!isEvent(value)) {
    throw new AnnealError('E_FORMAT', `${where}: expected an event of a run, received ${text.slice(0, 80)}`);
  }
  return value;
}

function isEvent(value: unknown): value is MetricsEvent {
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string') return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return checks.get(value.type)?.every(([name, check]) => check(fields[name])) ?? false;
}
