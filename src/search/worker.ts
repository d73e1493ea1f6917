// What a worker thread of a search does: it loads the objective's module once, then runs one trial after the other.
import { parentPort, workerData } from 'node:worker_threads';
import { setThreads } from '../backend/device.js';
import { type DeviceChoice, takeDevice } from '../device.js';
import { AnnealError, reasonOf } from '../errors.js';
import { defaultExport } from '../io/default_export.js';
import type { Chosen } from './space.js';
import { attempt, type Ending, type Objective, type Report, Trial } from './trial.js';

export interface WorkerSetup {
  /** URL of the module whose default export is the objective, or a search with one. */
  readonly module: string;
  readonly threads: number;
  /** That of new tensors; the module may choose another. */
  readonly device: DeviceChoice;
}

export type ToWorker =
  | { readonly type: 'trial'; readonly number: number; readonly parameters: Chosen }
  /** To the oldest report without one. */
  | { readonly type: 'verdict'; readonly prune: boolean };

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'unusable'; readonly error: string }
  | { readonly type: 'report'; readonly report: Report }
  | { readonly type: 'ended'; readonly ending: Ending };

const isObjective = (value: unknown): value is Objective => typeof value === 'function';

async function load(module: string): Promise<Objective> {
  const found = await defaultExport(module);
  if (isObjective(found)) return found;
  if (typeof found === 'object' && found !== null && 'objective' in found && isObjective(found.objective))
    return found.objective;
  throw new AnnealError(
    'E_ARGUMENT',
    `search: expected ${module} to export the objective by default, a function or a search by defineSearch, received ${typeof found}`,
  );
}

/** @internal Runs in the worker thread. */
export async function serve(): Promise<void> {
  const { module, threads, device }: WorkerSetup = workerData;
  const tell = (message: FromWorker): void => parentPort?.postMessage(message);
  const verdicts: ((prune: boolean) => void)[] = [];
  let objective: Objective;
  try {
    setThreads(threads);
    await takeDevice(device);
    objective = await load(module);
  } catch (error) {
    tell({ type: 'unusable', error: reasonOf(error) });
    return;
  }
  const run = async (number: number, parameters: Chosen): Promise<void> => {
    const trial = new Trial(number, threads, new AbortController().signal, (report) => {
      tell({ type: 'report', report });
      return new Promise((resolve) => verdicts.push(resolve));
    });
    tell({ type: 'ended', ending: await attempt(objective, parameters, trial) });
  };
  parentPort?.on('message', (message: ToWorker) => {
    if (message.type === 'trial') void run(message.number, message.parameters);
    else verdicts.shift()?.(message.prune);
  });
  tell({ type: 'ready' });
}
