// A training run as a value: what `npx anneal train config.ts` runs.
import type { Loader } from '../data/batch.js';
import type { Module } from '../nn/module.js';
import type { OptimizerSpec } from '../optim/spec.js';
import type { CheckpointOptions } from './checkpoint.js';
import type { FitOptions } from './fit_options.js';

/** What the command line says. */
export interface ConfigContext {
  /** What stands after the options. */
  readonly args: readonly string[];
  readonly seed: number;
  /** Of `--epochs`; undefined without it. */
  readonly epochs: number | undefined;
}

/** What is known once the data is there: for schedules. */
export interface Lengths {
  readonly epochs: number;
  /** Updates, gradient accumulation counted; NaN where the data does not say. */
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
}

export interface TrainConfig extends Omit<FitOptions, 'data' | 'optimizer' | 'resume' | 'signal' | 'seed'> {
  readonly title?: string;
  readonly model: Module | ((context: ConfigContext) => Module | Promise<Module>);
  /** Training batches, or a function that makes them and those for validation. */
  readonly data: Loader | ((context: ConfigContext) => TrainData | Promise<TrainData>);
  readonly optimizer: OptimizerSpec | ((lengths: Lengths) => OptimizerSpec);
  /** Default 0; `--seed` goes before it. */
  readonly seed?: number;
  /** How checkpoints are made, in the run's folder; false for none. Default: after each epoch. */
  readonly checkpoint?: Omit<CheckpointOptions, 'directory'> | false;
  /** Settings worth knowing later, in config.json. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface TrainData {
  readonly train: Loader;
  readonly validation?: Loader;
}

/** The configuration itself: for types in a file that `npx anneal train` runs. A function is told what the command line says. */
export function defineConfig<T extends TrainConfig | ((context: ConfigContext) => TrainConfig | Promise<TrainConfig>)>(
  config: T,
): T {
  return config;
}
