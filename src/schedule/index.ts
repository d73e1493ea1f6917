/** Schedules: values as pure functions of the step. */
export { chain } from './chain.js';
export { type ConstantOptions, constant } from './constant.js';
export { type CosineOptions, cosine } from './cosine.js';
export { type CosineRestartsOptions, cosineRestarts } from './cosine_restarts.js';
export { type ExpRangeOptions, expRange, type TriangularOptions, triangular, triangular2 } from './cyclic.js';
export {
  type ExponentialByConstant,
  type ExponentialByFactor,
  type ExponentialOptions,
  exponential,
} from './exponential.js';
export { fromJSON } from './from_json.js';
export {
  type InverseSqrtOptions,
  type InverseSqrtWarmupOptions,
  inverseSqrt,
  inverseSqrtWarmup,
  type NoamOptions,
  noam,
} from './inverse_sqrt.js';
export { type JoinOptions, join } from './join.js';
export { type LinearOptions, linear } from './linear.js';
export { type MilestonesOptions, milestones } from './milestones.js';
export { type OneCycleMomentumOptions, type OneCycleOptions, oneCycle, oneCycleMomentum } from './one_cycle.js';
export { type PerEpochOptions, perEpoch } from './per_epoch.js';
export { type PolynomialOptions, polynomial } from './polynomial.js';
export { scale } from './scale.js';
export { isSchedule, type Rate, rateAt, type Schedule, type ScheduleJson, type ScheduleParams } from './schedule.js';
export { type StepOptions, step } from './step.js';
export { type SvgOptions, svg } from './svg.js';
export { type SwaRateOptions, swaRate } from './swa_rate.js';
export { type WarmupOptions, warmup } from './warmup.js';
export { type WsdOptions, wsd } from './wsd.js';
