// Searches: trials one after the other or side by side, kept in a log that a killed one goes on from.
import { cpuInfo } from '../backend/device.js';
import { wholeNumber } from '../checks.js';
import { chosenDevice } from '../device.js';
import { AnnealError } from '../errors.js';
import { SearchLog } from './log.js';
import { type GridPoints, gridProposals, type Proposals, randomProposals } from './proposals.js';
import { better, type Direction, type Pruner } from './pruner.js';
import { inThisThread, moduleUrl, type Runner, WorkerRunner } from './runners.js';
import type { Space, Values } from './space.js';
import { SearchTable, type TableStream } from './table.js';
import type { Ending, Objective, TrialRecord } from './trial.js';

export interface SearchOptions<S extends Space> {
  readonly space: S;
  /**
   * What is searched: a function of the parameters that gives the value, or, for workers, the module (its URL or path) with that
   * function as its default export. A trial whose objective throws, or gives no number, has failed; the search goes on.
   */
  readonly objective: Objective<S> | URL | string;
  /** Default 'minimize'. */
  readonly direction?: Direction;
  /** A JSON-lines file. Where there is one of this search, its trials are not repeated. */
  readonly log?: string;
  /** With a log: repeats the trials that have failed before. Default false. */
  readonly retryFailed?: boolean;
  /**
   * Trials at a time, each in a worker thread with its share of `threads`, on the device that is the default here. Default 1. The
   * objective must be a module.
   */
  readonly workers?: number;
  /** Of all workers together. Default: those that kernels use here. */
  readonly threads?: number;
  readonly pruner?: Pruner;
  /** Ends the search with the first trial that fails. Default false. */
  readonly stopOnFailure?: boolean;
  /** After each trial. One that throws ends the search with its error. */
  readonly onTrial?: (trial: TrialRecord<S>, best: TrialRecord<S> | null) => void | Promise<void>;
  /** A live table on standard error, or on a stream. Default false. */
  readonly show?: boolean | TableStream;
  /** Ends the search; trials under way are dropped, and begin anew where a log is taken up. */
  readonly signal?: AbortSignal;
}

export interface RandomOptions<S extends Space> extends SearchOptions<S> {
  readonly trials: number;
  /** Trial k's parameters are a function of the seed and k alone. Default 0. */
  readonly seed?: number;
}

export interface GridOptions<S extends Space> extends SearchOptions<S> {
  /** Values of each parameter that is a number, evenly spaced in its scale; needed for floats without a step. */
  readonly points?: GridPoints;
}

export interface SearchResult<S extends Space = Space> {
  /** All that have ended, by number, those of the log included. */
  readonly trials: readonly TrialRecord<S>[];
  /** The complete one with the best value, the first of several; null without one. */
  readonly best: TrialRecord<S> | null;
  readonly direction: Direction;
  readonly stopReason: 'completed' | 'aborted' | 'failed';
}

/**
 * Random search: each trial draws every parameter anew. Bergstra and Bengio, "Random search for hyper-parameter optimization", JMLR 13,
 * 2012: where only a few parameters matter, it looks at as many values of each as it has trials, a grid at a few.
 *
 *   const { best } = await search.random({
 *     space: { lr: search.float(1e-4, 1, { log: true }), units: search.int(16, 256, { log: true }) },
 *     objective: async ({ lr, units }) => validationLoss(lr, units),
 *     trials: 50, seed: 1, log: 'search.jsonl',
 *   });
 *
 * @throws E_ARGUMENT; E_IO and E_FORMAT of the log
 */
export async function random<const S extends Space>(options: RandomOptions<S>): Promise<SearchResult<S>> {
  return search(options, randomProposals(options.space, options.seed ?? 0, options.trials));
}

/** Grid search: every combination of each parameter's values. @throws E_ARGUMENT, E_RANGE; E_IO and E_FORMAT of the log */
export async function grid<const S extends Space>(options: GridOptions<S>): Promise<SearchResult<S>> {
  return search(options, gridProposals(options.space, options.points));
}

/** The complete trial with the best value, the first of several; null without one. */
export function bestOf<S extends Space>(
  trials: readonly TrialRecord<S>[],
  direction: Direction = 'minimize',
): TrialRecord<S> | null {
  let best: { readonly trial: TrialRecord<S>; readonly value: number } | null = null;
  for (const trial of trials) {
    const { state, value } = trial;
    if (state === 'complete' && value !== null && (best === null || better(direction, value, best.value)))
      best = { trial, value };
  }
  return best?.trial ?? null;
}

function checkOptions<S extends Space>({
  direction = 'minimize',
  objective,
  workers,
  threads,
}: SearchOptions<S>): void {
  if (direction !== 'minimize' && direction !== 'maximize') {
    throw new AnnealError(
      'E_ARGUMENT',
      `search: expected direction 'minimize' or 'maximize', received '${String(direction)}'`,
    );
  }
  if (workers !== undefined) wholeNumber('search', 'workers', workers);
  if (threads !== undefined) wholeNumber('search', 'threads', threads);
  if (workers !== undefined && typeof objective === 'function') {
    throw new AnnealError(
      'E_ARGUMENT',
      'search: expected the objective as a module for workers, new URL("./objective.js", import.meta.url), received a function',
    );
  }
}

function runnersOf<S extends Space>(options: SearchOptions<S>, signal: AbortSignal): Runner[] {
  const { objective, workers = 1, threads = cpuInfo().threads } = options;
  if (typeof objective === 'function') return [inThisThread(objective, threads, signal)];
  const device = chosenDevice();
  const setup = { module: moduleUrl(objective), threads: Math.max(1, Math.floor(threads / workers)), device };
  return Array.from({ length: workers }, () => new WorkerRunner(setup, signal));
}

async function search<S extends Space>(options: SearchOptions<S>, proposals: Proposals): Promise<SearchResult<S>> {
  checkOptions(options);
  const { direction = 'minimize', pruner, stopOnFailure = false, retryFailed = false, onTrial, show, signal } = options;
  const halt = new AbortController();
  const runners = runnersOf(options, halt.signal);
  await using log = options.log === undefined ? null : await SearchLog.open(options.log, direction, proposals);
  const ended = new Map<number, TrialRecord<S>>();
  // The log was held against the declaration of this space.
  for (const trial of log?.trials ?? []) ended.set(trial.number, trial as TrialRecord<S>);
  const isOpen = (k: number): boolean => {
    const before = ended.get(k);
    return k < proposals.count && (before === undefined || (retryFailed && before.state === 'failed'));
  };
  const waiting = Array.from({ length: proposals.count }, (_, k) => k).filter(isOpen);
  const all = (): TrialRecord<S>[] => [...ended.values()].sort((a, b) => a.number - b.number);
  let stopReason: SearchResult<S>['stopReason'] = 'completed';
  const stop = (reason: SearchResult<S>['stopReason']): void => {
    if (halt.signal.aborted) return;
    stopReason = reason;
    halt.abort();
  };
  const onAbort = (): void => stop('aborted');
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const stream = show === true ? process.stderr : show;
  // The log may have more than are asked for now.
  const done = [...ended.keys()].filter((k) => !isOpen(k)).length;
  using table = stream ? new SearchTable(stream, Object.keys(options.space), done + waiting.length) : null;
  table?.begin(done, bestOf(all(), direction));

  const end = async (number: number, ending: Ending): Promise<void> => {
    const trial: TrialRecord<S> = { number, parameters: proposals.parameters(number) as Values<S>, ...ending };
    ended.set(number, trial);
    await log?.append(trial);
    const best = bestOf(all(), direction);
    table?.ended(trial, best);
    await onTrial?.(trial, best);
    if (trial.state === 'failed' && stopOnFailure) stop('failed');
  };
  const work = async (runner: Runner): Promise<void> => {
    for (let number = waiting.shift(); number !== undefined && !halt.signal.aborted; number = waiting.shift()) {
      table?.began(number);
      const reports: { step: number; value: number }[] = [];
      const ending = await runner.run(number, proposals.parameters(number), (report) => {
        reports.push(report);
        return pruner?.prune(reports, all(), direction) ?? false;
      });
      // What was cut short has no value.
      if (halt.signal.aborted) return;
      await end(number, ending);
    }
  };
  try {
    await Promise.all(
      runners.map(async (runner) => {
        try {
          await work(runner);
        } catch (error) {
          halt.abort(); // the others need not go on
          throw error;
        }
      }),
    );
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await Promise.all(runners.map((runner) => runner[Symbol.asyncDispose]()));
  }
  return { trials: all(), best: bestOf(all(), direction), direction, stopReason };
}
