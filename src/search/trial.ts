// One trial of a search: what its objective is given, and what is kept of it.
import { traceOf } from '../errors.js';
import type { JsonValue } from '../io/json.js';
import type { Space, Values } from './space.js';

/** 'pruned': given up on the way; 'failed': its objective threw, or gave no number. */
export type TrialState = 'complete' | 'pruned' | 'failed';

/** A value on the way: after so many epochs, say. */
export interface Report {
  readonly step: number;
  readonly value: number;
}

export interface TrialRecord<S extends Space = Space> {
  /** From 0; together with the seed of the search it determines the parameters. */
  readonly number: number;
  readonly state: TrialState;
  readonly parameters: Values<S>;
  /** Of a pruned trial what it reported last; null without one. */
  readonly value: number | null;
  /** What the objective gave beside the value. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly reports: readonly Report[];
  /** Why it failed. */
  readonly error: string | null;
  readonly seconds: number;
}

/** Tells the search a value on the way, and whether to give up. */
export type Reporter = (report: Report) => boolean | Promise<boolean>;

/** What an objective knows of its trial. */
export class Trial {
  /** From 0. */
  readonly number: number;
  /** Its share of the CPU's threads. In a worker kernels already use so many. */
  readonly threads: number;
  /** Aborted with the search. */
  readonly signal: AbortSignal;
  readonly #reports: Report[] = [];
  readonly #reporter: Reporter;
  #pruned = false;

  constructor(number: number, threads: number, signal: AbortSignal, reporter: Reporter) {
    this.number = number;
    this.threads = threads;
    this.signal = signal;
    this.#reporter = reporter;
  }

  /**
   * Tells a value on the way. True when the trial is not worth going on with: return then, whatever the value. Always false without
   * a pruner.
   */
  async report(value: number, step: number): Promise<boolean> {
    this.#reports.push({ step, value });
    if (await this.#reporter({ step, value })) this.#pruned = true;
    return this.#pruned;
  }

  /** Whether a report was answered so. */
  get pruned(): boolean {
    return this.#pruned;
  }

  get reports(): readonly Report[] {
    return this.#reports;
  }
}

/** What an objective gives: a value, or one with metrics for the log. */
export type Outcome = number | { readonly value: number; readonly metrics?: Readonly<Record<string, number>> };

export type Objective<S extends Space = Space> = (parameters: Values<S>, trial: Trial) => Outcome | Promise<Outcome>;

/** A trial's end, as it crosses from a worker. */
export type Ending = Pick<TrialRecord, 'state' | 'value' | 'metrics' | 'reports' | 'error' | 'seconds'>;

/** Runs an objective to its end, whatever that is. */
export async function attempt<S extends Space>(
  objective: Objective<S>,
  parameters: Values<S>,
  trial: Trial,
): Promise<Ending> {
  const started = performance.now();
  const end = (state: TrialState, value: number | null, rest: Partial<Ending> = {}): Ending => ({
    state,
    value,
    metrics: {},
    reports: trial.reports,
    error: null,
    seconds: (performance.now() - started) / 1e3,
    ...rest,
  });
  const pruned = (): Ending => end('pruned', trial.reports.at(-1)?.value ?? null);
  try {
    const outcome = await objective(parameters, trial);
    if (trial.pruned) return pruned();
    const { value, metrics = {} } = typeof outcome === 'object' && outcome !== null ? outcome : { value: outcome };
    if (typeof value === 'number' && !Number.isNaN(value)) return end('complete', value, { metrics });
    return end('failed', null, {
      metrics,
      error: `expected the objective to give a number, received ${String(value)}`,
    });
  } catch (error) {
    if (trial.pruned) return pruned();
    return end('failed', null, { error: traceOf(error) });
  }
}

/** A line of the log. */
export function trialJson({ parameters, reports, ...rest }: TrialRecord): JsonValue {
  const values = Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined));
  return {
    type: 'trial',
    ...rest,
    parameters: { ...values } as { [name: string]: JsonValue },
    metrics: { ...rest.metrics },
    reports: reports.map(({ step, value }) => [step, value]),
  };
}
