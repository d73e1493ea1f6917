/** Training: the fit loop, its events and callbacks, checkpoints, evaluation. */

export {
  type BatchSizeFound,
  type BatchSizeTried,
  type FindBatchSizeOptions,
  findBatchSize,
} from './batch_size_finder.js';
export type { Best, Callback, CallbackState, Moment, RunHandle, Wanted } from './callback.js';
export { type CheckpointOptions, checkpoint } from './checkpoint.js';
export { type ConfigContext, defineConfig, type Lengths, type TrainConfig, type TrainData } from './config.js';
export { type EarlyStoppingOptions, earlyStopping } from './early_stopping.js';
export { type EvaluateOptions, evaluate } from './evaluate.js';
export type {
  ActivationStatistics,
  EpochEvent,
  Metrics,
  ResumeEvent,
  StepEvent,
  StopEvent,
  StopReason,
  TrainEvent,
  WarningEvent,
} from './events.js';
export { fit, type Run } from './fit.js';
export type { FitOptions, FitResult } from './fit_options.js';
export { type FoundCheckpoint, latestCheckpoint } from './latest_checkpoint.js';
export {
  type FindLearningRateOptions,
  findLearningRate,
  type LearningRateFound,
  type LearningRatePoint,
} from './learning_rate_finder.js';
export { type Metric, type MetricFunction, type MetricName, topK } from './metrics.js';
export type { MonitorOptions } from './monitor.js';
export type { Loss, LossFunction } from './objective.js';
export { type ReduceOnPlateauOptions, reduceOnPlateau } from './plateau.js';
export type { Snapshot } from './snapshot.js';
export { type RefreshStatisticsOptions, refreshStatistics } from './statistics.js';
export { type UpdateRatioOptions, updateRatio } from './update_ratio.js';
