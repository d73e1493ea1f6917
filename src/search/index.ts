/** Search over hyperparameters: grid and random, logged and resumed, side by side in worker threads. */
export { defineSearch, type SearchConfig } from './config.js';
export { readLog, type SearchLogContent } from './log.js';
export type { GridPoints } from './proposals.js';
export { type Direction, type MedianPrunerOptions, medianPruner, type Pruner } from './pruner.js';
export { reporting } from './reporting.js';
export {
  bestOf,
  type GridOptions,
  grid,
  type RandomOptions,
  random,
  type SearchOptions,
  type SearchResult,
} from './search.js';
export {
  type CategoricalParameter,
  type Choice,
  type Condition,
  type ConditionalParameter,
  categorical,
  type FloatOptions,
  float,
  type IntOptions,
  int,
  type NumberParameter,
  type Parameter,
  type PlainParameter,
  type Space,
  type Values,
  when,
} from './space.js';
export { type SearchSvgOptions, svg } from './svg.js';
export type { TableStream } from './table.js';
export type { Objective, Outcome, Report, Trial, TrialRecord, TrialState } from './trial.js';
/** @internal */
export { serve } from './worker.js';
