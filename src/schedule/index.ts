/** Schedules: values as pure functions of the step. */
export { type ConstantOptions, constant } from './constant.js';
export { type CosineOptions, cosine } from './cosine.js';
export { type ExponentialOptions, exponential } from './exponential.js';
export { fromJSON } from './from_json.js';
export { type InverseSqrtOptions, inverseSqrt } from './inverse_sqrt.js';
export { type JoinOptions, join } from './join.js';
export { type LinearOptions, linear } from './linear.js';
export { isSchedule, type Rate, rateAt, type Schedule, type ScheduleJson, type ScheduleParams } from './schedule.js';
export { type StepOptions, step } from './step.js';
export { type WarmupOptions, warmup } from './warmup.js';
