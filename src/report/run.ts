/** A run as its folder tells it: config.json says what was trained and where, metrics.jsonl what came of it. */
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { AnnealError, reasonOf } from '../errors.js';
import { isJsonObject, type JsonObject } from '../io/fields.js';
import { type JsonValue, parseJson } from '../io/json.js';
import type { EpochRecord, MetricsEvent, MetricsRecord, StepRecord, StopRecord, WarningRecord } from './log_event.js';
import { readMetricsLog } from './metrics_log.js';

export const configFile = 'config.json';
export const metricsFile = 'metrics.jsonl';
export const reportFile = 'report.html';

export interface CallbackDescription {
  readonly name: string;
  readonly settings: JsonObject;
}

/** What config.json holds. */
export interface RunDescription {
  readonly title: string;
  /** The user's own settings. */
  readonly config: JsonObject;
  readonly optimizer?: JsonObject;
  /** Callbacks that tell their settings; several may have the same name. */
  readonly callbacks?: readonly CallbackDescription[];
  readonly model?: JsonObject;
  readonly machine?: JsonObject;
}

export interface RunReport extends RunDescription {
  readonly steps: readonly StepRecord[];
  readonly epochs: readonly EpochRecord[];
  /** What the user measured besides. */
  readonly metrics?: readonly MetricsRecord[];
  readonly warnings?: readonly WarningRecord[];
  /** How the run ended; without it, it goes on or was killed. */
  readonly stop?: StopRecord;
}

/**
 * The run in a folder.
 * @throws AnnealError E_IO when there is none, E_FORMAT when a file is not what it should be.
 */
export async function readRun(folder: string): Promise<RunReport> {
  const description = await readDescription(folder);
  return reportOfEvents(description, await readMetricsLog(join(folder, metricsFile)));
}

/** A folder's config.json; a run that has none is called after its folder. @throws AnnealError E_IO, E_FORMAT. */
export async function readDescription(folder: string): Promise<RunDescription> {
  const path = join(folder, configFile);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (isMissing(cause)) return { title: basename(resolve(folder)), config: {} };
    throw new AnnealError('E_IO', `${path}: expected the settings of a run (${reasonOf(cause)})`, { cause });
  }
  return parseDescription(text, path);
}

/** @throws AnnealError E_FORMAT, naming the file. */
export function parseDescription(text: string, path: string): RunDescription {
  const fail = (reason: string, cause?: unknown): AnnealError =>
    new AnnealError('E_FORMAT', `${path}: expected the settings of a run, received ${reason}`, { cause });
  let root: JsonValue;
  try {
    root = parseJson(text);
  } catch (cause) {
    throw fail(reasonOf(cause), cause);
  }
  if (!isJsonObject(root) || typeof root.title !== 'string') throw fail(`none with a title: ${text.slice(0, 80)}`);
  const { title, config, optimizer, callbacks, model, machine } = root;
  return {
    title,
    config: isJsonObject(config) ? config : {},
    ...(isJsonObject(optimizer) ? { optimizer } : {}),
    ...(Array.isArray(callbacks) ? { callbacks: callbacks.flatMap(callbackOf) } : {}),
    ...(isJsonObject(model) ? { model } : {}),
    ...(isJsonObject(machine) ? { machine } : {}),
  };
}

function callbackOf(value: JsonValue): CallbackDescription[] {
  if (!isJsonObject(value) || typeof value.name !== 'string' || !isJsonObject(value.settings)) return [];
  return [{ name: value.name, settings: value.settings }];
}

/** What a log tells, beside a description. */
export function reportOfEvents(description: RunDescription, events: readonly MetricsEvent[]): RunReport {
  const steps: StepRecord[] = [];
  const epochs: EpochRecord[] = [];
  const metrics: MetricsRecord[] = [];
  const warnings: WarningRecord[] = [];
  let stop: StopRecord | undefined;
  for (const event of events) {
    switch (event.type) {
      case 'start':
        stop = undefined;
        break;
      case 'step':
        steps.push(event);
        break;
      case 'epoch':
        epochs.push(event);
        break;
      case 'metrics':
        metrics.push(event);
        break;
      case 'warning':
        warnings.push(event);
        break;
      case 'stop':
        stop = event;
        break;
    }
  }
  return { ...description, steps, epochs, metrics, warnings, ...(stop === undefined ? {} : { stop }) };
}

export function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
}
