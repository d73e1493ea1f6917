/** Training: the fit loop, its events and callbacks, evaluation. */
export {
  type Best,
  type Callback,
  type EarlyStoppingOptions,
  earlyStopping,
  type RunHandle,
  type UpdateRatioOptions,
  updateRatio,
} from './callbacks.js';
export type { EpochEvent, Metrics, StepEvent, StopEvent, StopReason, TrainEvent, WarningEvent } from './events.js';
export { type EvaluateOptions, evaluate, type FitOptions, type FitResult, fit, type Run } from './fit.js';
export type { Loss, LossFunction, MetricName } from './objective.js';
