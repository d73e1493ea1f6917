/** Optimizers over one flat arena of parameters. */
export { type AdamOptions, adam, adamw } from './adam.js';
export { ParameterArena, type Segment } from './arena.js';
export type { AveragingState, EmaOptions, SwaOptions } from './averaging.js';
export type { Match, ParameterGroup } from './groups.js';
export { create, Optimizer, type StepOptions } from './optimizer.js';
export { type RmspropOptions, rmsprop } from './rmsprop.js';
export { type ScaleLearningRateOptions, scaleLearningRate } from './scale_learning_rate.js';
export { type SgdOptions, sgd } from './sgd.js';
export type { OptimizerOptions, OptimizerSpec, UpdateRule } from './spec.js';
export type { OptimizerState, StateTensor } from './state.js';
