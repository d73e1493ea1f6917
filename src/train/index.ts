/** Training: the fit loop, its events and callbacks, checkpoints, evaluation. */
export type { Best, Callback, CallbackState, Moment, RunHandle, Wanted } from './callback.js';
export { type CheckpointOptions, checkpoint } from './checkpoint.js';
export { type EarlyStoppingOptions, earlyStopping } from './early_stopping.js';
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
export { type EvaluateOptions, evaluate, type FitOptions, type FitResult, fit, type Run } from './fit.js';
export { type FoundCheckpoint, latestCheckpoint } from './latest_checkpoint.js';
export type { MonitorOptions } from './monitor.js';
export type { Loss, LossFunction, MetricName } from './objective.js';
export type { Snapshot } from './snapshot.js';
export { type RefreshStatisticsOptions, refreshStatistics } from './statistics.js';
export { type UpdateRatioOptions, updateRatio } from './update_ratio.js';
