/**
 * anneal: train neural networks in Node.js.
 *
 *   import { data, nn, optim, schedule, train } from 'anneal';
 */
import './ops/methods.js';
import { recordByEnvironment } from './compare/recording.js';
import { profileByEnvironment } from './profile/environment.js';

export * as autograd from './autograd/index.js';
export type { BenchLimits, BenchMachine, BenchReport, BenchResult, PeerFigure } from './bench/report.js';
export { type Captured, type CaptureOptions, capture, type PlanInfo, Scalar } from './capture/index.js';
export * as chart from './chart/index.js';
export * as data from './data/index.js';
export * as device from './device.js';
export {
  type CalibrationBin,
  type Ensemble,
  type EnsembleReport,
  ensemble,
  type ProbabilityMetrics,
  type Snapshots,
  type SnapshotsOptions,
  type WeightsMember,
} from './ensemble/index.js';
export { AnnealError, type ErrorCode } from './errors.js';
export * as io from './io/index.js';
export * as nn from './nn/index.js';
export * as ops from './ops/index.js';
export * as optim from './optim/index.js';
export {
  type Profile,
  type ProfileOptions,
  type ProfileRow,
  type ProfileTable,
  profile,
  type Trace,
  type TraceEvent,
} from './profile/index.js';
export * as report from './report/index.js';
export * as schedule from './schedule/index.js';
export * as search from './search/index.js';
export type { DType } from './tensor/dtype.js';
export { keep, scope } from './tensor/scope.js';
export type { Shape } from './tensor/shape.js';
export { Tensor, type TensorOptions, tensor } from './tensor/tensor.js';
export * as train from './train/index.js';
export * as transfer from './transfer/index.js';

profileByEnvironment();
recordByEnvironment();
