/** What the page asks the server for, as plain data. */
import { AnnealError } from '../../errors.js';
import { type Chart, chartsOf } from '../charts.js';
import { type Grid, onGrid, smoothed } from '../downsample.js';
import { type Guides, guidesOf } from '../guides.js';
import { flatten } from '../page.js';
import { indexRange, type Series } from '../series.js';
import type { LiveRun } from './live_run.js';

export interface RunSummary {
  readonly id: string;
  readonly title: string;
  readonly state: 'running' | 'silent' | 'ended' | 'failed' | 'broken';
  /** Why it ended: completed, aborted and so on. */
  readonly reason: string;
  /** What it failed with, or what is wrong with its files. */
  readonly error: string;
  /** Its first step that has a value, and its last step. */
  readonly from: number;
  readonly steps: number;
  readonly epochs: number;
  readonly warnings: number;
  readonly started: number;
  /** The last values of metrics, and the best of accuracies and losses by best_ and their names. */
  readonly metrics: Readonly<Record<string, number | null>>;
  /** Flat: 'ema.decay': '0.99'. */
  readonly config: Readonly<Record<string, string>>;
  readonly guides: Guides;
}

/** A run that tells nothing for so long, and did not end, may have been killed. Milliseconds. */
const silence = 120_000;

export function stateOf(run: LiveRun, now: number): RunSummary['state'] {
  if (run.error !== null) return 'broken';
  if (run.stop !== null) return run.stop.error === undefined ? 'ended' : 'failed';
  return now - run.changed > silence ? 'silent' : 'running';
}

export function summaryOf(run: LiveRun, now: number): RunSummary {
  const metrics: Record<string, number | null> = {};
  for (const [name, { value }] of run.series.byName) {
    if (name.includes('/')) continue;
    metrics[name] = finite(value.at(-1));
    if (/^(ema_)?val_accuracy$/.test(name))
      metrics[`best_${name}`] = finite(Math.max(...value.filter(Number.isFinite)));
    if (/^(ema_)?val_loss$/.test(name)) metrics[`best_${name}`] = finite(Math.min(...value.filter(Number.isFinite)));
  }
  return {
    id: run.id,
    title: run.description.title,
    state: stateOf(run, now),
    reason: run.stop?.reason ?? '',
    error: run.error ?? run.stop?.error ?? '',
    from: run.from,
    steps: run.steps,
    epochs: run.epochs,
    warnings: run.warnings,
    started: run.started,
    metrics,
    config: Object.fromEntries(flatten(run.description.config)),
    guides: guidesOf(run.description),
  };
}

/** The charts that any of the runs has a curve for. */
export function chartsOfRuns(runs: Iterable<LiveRun>): Chart[] {
  const names = new Set<string>();
  for (const { series } of runs) for (const name of series.byName.keys()) names.add(name);
  return chartsOf(names);
}

export interface CurvesQuery {
  readonly runs: readonly LiveRun[];
  readonly names: readonly string[];
  /** Of these a moving average is wanted, too. */
  readonly noisy: ReadonlySet<string>;
  /** The steps to show; undefined: all there are. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly buckets: number;
  /** Decay of the moving average; 0 for none. */
  readonly smooth: number;
}

/** A curve is two values a bucket of the grid, or, where it is short, points of its own. */
export type Curve =
  | readonly (number | null)[]
  | { readonly x: readonly number[]; readonly y: readonly (number | null)[] };

export interface Curves {
  readonly grid: Grid;
  /** By run and name, in that order. `smooth` is there where it was asked for. */
  readonly curves: readonly {
    readonly run: string;
    readonly name: string;
    readonly raw: Curve;
    readonly smooth?: Curve;
  }[];
}

/** Points up to which a curve keeps them as they are, all runs that are asked for together. */
const fewPoints = 1200;
/** Digits: more than a screen has pixels. */
const digits = 6;

export function curvesOf({ runs, names, noisy, from, to, buckets, smooth }: CurvesQuery): Curves {
  const asked = runs.flatMap((run) =>
    names.flatMap((name) => {
      const series = run.series.byName.get(name);
      return series === undefined ? [] : [{ run: run.id, name, series }];
    }),
  );
  const steps = asked.flatMap(({ series: { step } }) => [step[0] ?? 0, step.at(-1) ?? 0]);
  const least = steps.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = steps.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const grid = { from: from ?? finite(least) ?? 0, to: to ?? finite(most) ?? 1, buckets };
  const few = fewPoints / Math.max(1, runs.length);
  return {
    grid,
    curves: asked.map(({ run, name, series }) => {
      const raw = curveOf(series, grid, few);
      if (smooth === 0 || !noisy.has(name) || series.step.length < 3) return { run, name, raw };
      return { run, name, raw, smooth: curveOf(smoothed(series, smooth), grid, few) };
    }),
  };
}

function curveOf(series: Series, grid: Grid, few: number): Curve {
  const [first, end] = indexRange(series.step, grid.from, grid.to);
  if (end - first <= few) {
    // With its neighbours, so that lines reach the edges.
    const [start, stop] = [Math.max(0, first - 1), end + 1];
    return { x: series.step.slice(start, stop), y: series.value.slice(start, stop).map(finite) };
  }
  return onGrid(series, grid).map((value) => (value === null ? null : finite(value)));
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? Number(value.toPrecision(digits)) : null;
}

/** The query of /api/curves. @throws AnnealError E_ARGUMENT */
export function parseCurvesQuery(query: URLSearchParams, runs: ReadonlyMap<string, LiveRun>): CurvesQuery {
  const number = (name: string, low: number, high: number): number | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    const value = Number(text);
    if (text === '' || !(value >= low && value <= high)) {
      throw new AnnealError('E_ARGUMENT', `dashboard: expected ${name} from ${low} to ${high}, received '${text}'`);
    }
    return value;
  };
  const found = query.getAll('run').map((id) => {
    const run = runs.get(id);
    if (run === undefined) throw new AnnealError('E_ARGUMENT', `dashboard: expected a run, received '${id}'`);
    return run;
  });
  return {
    runs: found,
    names: [...query.getAll('noisy'), ...query.getAll('name')],
    noisy: new Set(query.getAll('noisy')),
    from: number('from', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    to: number('to', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    buckets: Math.round(number('buckets', 10, 2000) ?? 300),
    smooth: number('smooth', 0, 0.9999) ?? 0,
  };
}
