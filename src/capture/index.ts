/** Functions of tensors, recorded once and replayed. */

export { type Num, Scalar } from '../scalar.js';
export {
  type Captured,
  type CaptureOptions,
  capture,
  type Inputs,
  type PlanInfo,
  type Scalars,
  type ScalarValues,
} from './capture.js';
