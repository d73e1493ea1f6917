// `anneal search`: a search that a file declares, shown as it goes, gone on with from its log.
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AnnealError } from '../errors.js';
import { writeFileAtomic } from '../io/atomic.js';
import { significant } from '../report/format.js';
import * as search from '../search/index.js';
import { shown } from '../search/table.js';
import { configName, loadConfig } from './config_file.js';
import { type DeviceOptions, useDevice } from './device.js';
import { INTERRUPTED, Interrupt } from './interrupt.js';

export interface SearchCommandOptions extends DeviceOptions {
  readonly trials?: number;
  readonly workers?: number;
  readonly log?: string;
  readonly svg?: string;
}

function isConfig(value: unknown): value is search.SearchConfig {
  return typeof value === 'object' && value !== null && 'space' in value && 'objective' in value;
}

/** @throws E_ARGUMENT where it is neither a random search nor a grid */
function checkKind({ trials, points }: search.SearchConfig, path: string, asked: number | undefined): void {
  if (trials !== undefined && points !== undefined)
    throw new AnnealError(
      'E_ARGUMENT',
      `${path}: expected trials of a random search or points of a grid, received both`,
    );
  if (trials === undefined && asked !== undefined)
    throw new AnnealError('E_ARGUMENT', `${path}: expected a random search for --trials ${asked}, received a grid`);
}

/** Searches and gives the exit code: 0, 1 when no trial was completed, 130 when interrupted. */
export async function searchConfig(path: string, options: SearchCommandOptions): Promise<number> {
  const config = await loadConfig('search', path);
  if (!isConfig(config)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `${path}: expected a default export by search.defineSearch with space and objective`,
    );
  }
  checkKind(config, path, options.trials);
  const { name, detail } = await useDevice(options);
  const { log = join('runs', `${configName(path)}.search.jsonl`), workers } = { ...config, ...options };
  await mkdir(dirname(log), { recursive: true });
  console.log(`Device ${name}: ${detail}. Log ${log}.`);
  using interrupt = new Interrupt();
  const settings = {
    ...config,
    log,
    ...(workers !== undefined && { workers }),
    // Workers load this file anew, and take the objective out of it.
    ...(workers !== undefined && typeof config.objective === 'function' && { objective: pathToFileURL(resolve(path)) }),
    show: true,
    signal: interrupt.signal,
  };
  const trials = options.trials ?? config.trials;
  const result = await (trials === undefined ? search.grid(settings) : search.random({ ...settings, trials }));
  return tell(result, options.svg);
}

async function tell(
  { trials, best, direction, stopReason }: search.SearchResult,
  svg: string | undefined,
): Promise<number> {
  const count = (state: search.TrialState): number => trials.filter((trial) => trial.state === state).length;
  console.log(`\n${count('complete')} trials complete, ${count('pruned')} pruned, ${count('failed')} failed.`);
  if (best?.value != null) {
    const parameters = Object.entries(best.parameters).map(([name, value]) => `${name} ${shown(value)}`);
    console.log(`Best: ${significant(best.value)} by trial ${best.number}: ${parameters.join(', ')}`);
    if (svg !== undefined) {
      await writeFileAtomic(svg, [search.svg(trials, { direction })]);
      console.log(`Picture ${svg}`);
    }
  }
  if (stopReason === 'aborted') {
    console.log('Interrupted. The same command goes on.');
    return INTERRUPTED;
  }
  return best === null ? 1 : 0;
}
