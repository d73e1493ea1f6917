// Times whole calls as a TypeScript user makes them, driven by Benchmark.js.
import type Benchmark from 'benchmark';
import type { Backend } from '../backend/backend.js';
import { AnnealError } from '../errors.js';
import type { Calls } from './problem.js';
import { type Summary, summarize } from './statistics.js';

/** @throws E_IO when the package is not installed */
export async function loadBenchmark(
  load: () => Promise<{ default: typeof Benchmark }> = () => import('benchmark'),
): Promise<typeof Benchmark> {
  try {
    return (await load()).default;
  } catch (cause) {
    throw new AnnealError(
      'E_IO',
      'bench: expected the package "benchmark", which times whole calls: npm install benchmark',
      { cause },
    );
  }
}

/** Seconds that calls enqueued back to back take before they are awaited together: what awaiting costs is then small. */
const BATCH_SECONDS = 2e-2;
const MOST_CALLS = 512;
/** At least this many, but of long calls: threads that slept since the last batch make its first call slower. */
const LEAST_CALLS = 4;
const LONG_SECONDS = 0.02;
/** Seconds of one sample of Benchmark.js. */
const SAMPLE_SECONDS = 0.01;
const MIN_SAMPLES = 5;
/** The part of the budget that calls run before they are timed: V8 compiles a step only after hundreds of them. */
const WARM_UP = 0.5;

/** Some calls back to back, then awaited; a training step is awaited each time. */
function batchOf(problem: Calls, backend: Backend, count: number): () => Promise<unknown> {
  const { step } = problem;
  if (step !== undefined) return step;
  return () => {
    for (let i = 0; i < count; i++) problem.call();
    return backend.sync();
  };
}

async function secondsOf(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1e3;
}

/** Milliseconds of one call, over `budgetMs` of samples. */
export async function timeCalls(
  Timer: typeof Benchmark,
  problem: Calls,
  backend: Backend,
  budgetMs: number,
): Promise<Summary> {
  const once = batchOf(problem, backend, 1);
  await once();
  const seconds = Math.min(await secondsOf(once), await secondsOf(once));
  const least = seconds > LONG_SECONDS ? 1 : LEAST_CALLS;
  const count = problem.step ? 1 : Math.max(least, Math.min(MOST_CALLS, Math.ceil(BATCH_SECONDS / seconds)));
  const batch = batchOf(problem, backend, count);
  for (const end = performance.now() + WARM_UP * budgetMs; performance.now() < end; ) await batch();
  const samples = await new Promise<readonly number[]>((done, failed) => {
    let failure: unknown;
    new Timer({
      defer: true,
      minSamples: MIN_SAMPLES,
      minTime: SAMPLE_SECONDS,
      maxTime: budgetMs / 1e3,
      fn(deferred: Benchmark.Deferred) {
        batch().then(
          () => deferred.resolve(),
          (error: unknown) => {
            failure ??= error;
            deferred.resolve();
          },
        );
      },
      onComplete(this: Benchmark) {
        const error: unknown = failure ?? this.error;
        if (error === undefined) done(this.stats.sample);
        else failed(error);
      },
    }).run({ async: true });
  });
  return summarize(samples.map((each) => each / count));
}
