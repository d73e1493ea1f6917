// The learning-rate range test: a short run whose rate grows exponentially, and what its losses say.
import { type LineChartOptions, lineChart } from '../chart/index.js';
import { wholeNumber } from '../checks.js';
import { AnnealError } from '../errors.js';
import type { Module } from '../nn/module.js';
import type { OptimizerOptions, OptimizerSpec } from '../optim/spec.js';
import { exponential } from '../schedule/index.js';
import type { Callback } from './callback.js';
import { fit } from './fit.js';
import type { FitOptions } from './fit_options.js';

export interface FindLearningRateOptions
  extends Pick<FitOptions, 'data' | 'loss' | 'seed' | 'signal' | 'precision' | 'accumulate' | 'capture'> {
  /** An optimizer for a rate, e.g. `(lr) => optim.sgd({ lr, momentum: 0.9 })`. */
  readonly optimizer: (lr: OptimizerOptions['lr']) => OptimizerSpec;
  /** The first rate. Default 1e-6. */
  readonly from?: number;
  /** The last rate. Default 10. */
  readonly to?: number;
  /** Default 100. */
  readonly steps?: number;
  /** The share of the past in the smoothed loss. Default 0.95, corrected for its start. */
  readonly smoothing?: number;
  /** Ends when the smoothed loss exceeds this multiple of its least. Default 4. */
  readonly divergence?: number;
}

export interface LearningRatePoint {
  readonly lr: number;
  readonly loss: number;
  readonly smoothed: number;
}

export interface LearningRateFound {
  readonly points: readonly LearningRatePoint[];
  /** Where the smoothed loss falls fastest over the logarithm of the rate: a rate to train with. NaN if it never falls. */
  readonly steepest: number;
  /** A tenth of the rate at the least smoothed loss: the other common reading, and an upper bound for a peak. */
  readonly minimum: number;
  /** The losses over the rates, with both readings marked, as an SVG document. */
  svg(options?: Pick<LineChartOptions, 'title' | 'width' | 'height'>): string;
}

/**
 * Trains for some steps while the rate grows from `from` to `to`, each the same factor above the one before, and puts the
 * weights back as they were. Smith 2017, "Cyclical learning rates for training neural networks", arXiv:1506.01186, section 3.3.
 * @throws E_ARGUMENT
 */
export async function findLearningRate(model: Module, options: FindLearningRateOptions): Promise<LearningRateFound> {
  const { optimizer, from = 1e-6, to = 10, smoothing = 0.95, divergence = 4, data, seed = 0, ...rest } = options;
  const steps = wholeNumber('findLearningRate', 'steps', options.steps ?? 100, 2);
  if (!(from > 0 && to > from && Number.isFinite(to)))
    throw new AnnealError('E_ARGUMENT', `findLearningRate: expected 0 < from < to, received ${from} and ${to}`);
  if (!(smoothing >= 0 && smoothing < 1) || !(divergence > 1)) {
    throw new AnnealError(
      'E_ARGUMENT',
      `findLearningRate: expected smoothing in [0, 1) and divergence above 1, received ${smoothing} and ${divergence}`,
    );
  }
  if (!model.built) await buildFor(model, data, seed);
  const before = await model.stateDict();
  const points: LearningRatePoint[] = [];
  let mean = 0;
  let least = Number.POSITIVE_INFINITY;
  const watch: Callback = {
    name: 'learningRateFinder',
    onStep({ lr, metrics: { loss = Number.NaN } }, run) {
      mean = smoothing * mean + (1 - smoothing) * loss;
      const smoothed = mean / (1 - smoothing ** (points.length + 1));
      points.push({ lr, loss, smoothed });
      least = Math.min(least, smoothed);
      if (points.length >= steps || smoothed > divergence * least) run.stop('completed');
    },
  };
  const k = -Math.log(to / from) / (steps - 1);
  const { steps: _steps, ...passed } = rest;
  try {
    await using run = fit(model, {
      ...passed,
      data,
      seed,
      epochs: Number.MAX_SAFE_INTEGER,
      metrics: [],
      optimizer: optimizer(exponential({ from, k })),
      callbacks: [watch],
    });
    await run.result;
  } catch (error) {
    // A rate so large that the loss overflows ends the sweep as a diverging loss does.
    if (!(error instanceof AnnealError && error.code === 'E_NONFINITE' && points.length > 0)) throw error;
  } finally {
    model.loadStateDict(before);
  }
  const found = suggestions(points);
  return { points, ...found, svg: (chart = {}) => draw(points, found, chart) };
}

function draw(
  points: readonly LearningRatePoint[],
  { steepest, minimum }: ReturnType<typeof suggestions>,
  options: LineChartOptions,
): string {
  const first = points[0]?.lr ?? Number.NaN;
  // What diverges at the end would press all else to the ground.
  const most = 2 * Math.max(...points.slice(0, Math.ceil(points.length / 10)).map(({ loss }) => loss));
  const line = (pick: (point: LearningRatePoint) => number) =>
    points.map((point) => [point.lr, Math.min(pick(point), most)] as const);
  const marks = [
    { x: steepest, label: `steepest ${steepest.toPrecision(2)}` },
    { x: minimum, label: `minimum / 10: ${minimum.toPrecision(2)}` },
  ];
  return lineChart(
    [
      { name: 'smoothed loss', points: line(({ smoothed }) => smoothed) },
      { name: 'loss of each step', points: line(({ loss }) => loss), faint: true },
    ],
    {
      title: 'Loss over the learning rate',
      xLabel: 'learning rate',
      xLog: true,
      marks: marks.filter(({ x }) => x >= first),
      ...options,
    },
  );
}

/** Builds a model for samples of the data. @throws E_ARGUMENT when there is none */
export async function buildFor(model: Module, data: FitOptions['data'], seed: number): Promise<void> {
  for await (const { x } of data.epoch(0, { seed })) {
    model.build(x.shape.slice(1), seed);
    return;
  }
  throw new AnnealError('E_ARGUMENT', 'train: expected at least one batch, received none');
}

/** The two readings of a sweep. */
export function suggestions(points: readonly LearningRatePoint[]): { steepest: number; minimum: number } {
  let steepest = Number.NaN;
  let slope = 0;
  let minimum = Number.NaN;
  let least = Number.POSITIVE_INFINITY;
  points.forEach(({ lr, smoothed }, i) => {
    const before = points[i - 1];
    const after = points[i + 1];
    if (before && after) {
      const here = (after.smoothed - before.smoothed) / Math.log(after.lr / before.lr);
      if (here < slope) {
        slope = here;
        steepest = lr;
      }
    }
    if (smoothed < least) {
      least = smoothed;
      minimum = lr / 10;
    }
  });
  return { steepest, minimum };
}
